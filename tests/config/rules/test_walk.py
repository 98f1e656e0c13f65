"""Texts of a configuration by the paths of their keys."""

from __future__ import annotations

from dlws.config import from_text
from dlws.config.rules.walk import at, texts
from tests.support.configs import minimal

TEXT = """\
mysql_password: s3cret
custom_mounts: [{hostPath: /a}, 5, {hostPath: /b}]
kubemarks: [fast]
machines: {m: {role: infra, private_ip: 10.1.0.1, fast: 'yes'}}
"""


def test_a_star_is_any_key_or_place() -> None:
    config = from_text(minimal(TEXT))
    assert list(at(config, ["machines/*/private-ip", "custom_mounts/*/hostPath"])) == [
        (("machines", "m", "private-ip"), "10.1.0.1"),
        (("custom_mounts", 0, "hostPath"), "/a"),
        (("custom_mounts", 2, "hostPath"), "/b"),
    ]


def test_keys_of_ones_own_are_found() -> None:
    assert list(at(from_text(minimal(TEXT)), ["machines/m/fast"])) == [
        (("machines", "m", "fast"), "yes")
    ]


def test_secrets_and_defaults_are_not() -> None:
    patterns = ["mysql_password", "kubernetes/pod_cidr", "dockertag", "nothing/such", "kubemarks"]
    assert list(at(from_text(minimal(TEXT)), patterns)) == []


def test_texts_are_found_however_deep() -> None:
    value = {"a": ["x", {"b": "y", "c": 5}], "d": None}
    assert list(texts(value)) == [(("a", 0), "x"), (("a", 1, "b"), "y")]
