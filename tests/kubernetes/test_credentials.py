"""Three fields of a kubeconfig, and nothing else of it."""

from __future__ import annotations

import base64
import contextlib
import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.kubernetes.credentials import Credentials, parse
from tests.support.kubeconfigs import CREDENTIALS, KUBEADM, ON_NODE, pem


def read(content: bytes) -> Credentials:
    return parse(content, "admin.conf", "do this")


def test_what_kubeadm_writes() -> None:
    assert read(ON_NODE) == CREDENTIALS


def test_what_is_built_is_read_again() -> None:
    built = CREDENTIALS.kubeconfig("atlas", "https://10.1.0.1:6443")
    assert read(yaml.safe_dump(built).encode()) == CREDENTIALS


def test_server_and_names_are_ours() -> None:
    other = copy.deepcopy(KUBEADM)
    other["clusters"][0] |= {"name": "x"}
    other["clusters"][0]["cluster"]["server"] = "https://evil.example"
    other["current-context"] = "elsewhere"
    built = read(yaml.safe_dump(other).encode()).kubeconfig("atlas", "https://10.1.0.1:6443")
    assert "evil" not in str(built) and "elsewhere" not in str(built)


def test_a_real_certificate_passes(ca: bytes) -> None:
    key = Local().run("openssl genrsa -traditional 2048 2>/dev/null").out
    made = Credentials(*(base64.b64encode(one).decode() for one in (ca + ca, ca, key)))
    assert read(yaml.safe_dump(made.kubeconfig("a", "b")).encode()) == made


def changed(change: Callable[[Any], object]) -> bytes:
    made = copy.deepcopy(KUBEADM)
    change(made)
    return yaml.safe_dump(made).encode()


def user(**more: object) -> Callable[[Any], object]:
    return lambda whole: whole["users"][0]["user"].update(more)


def cluster(**more: object) -> Callable[[Any], object]:
    return lambda whole: whole["clusters"][0]["cluster"].update(more)


@pytest.mark.parametrize(("change", "says"), [
    (user(exec={"command": "sh"}), "user has 'exec'"),
    (user(**{"auth-provider": {"name": "gcp"}}), "user has 'auth-provider'"),
    (user(tokenFile="rootpasswd"), "user has 'tokenFile'"),
    (user(token="x"), "user has 'token'"),
    (user(**{"client-key": "/root/.ssh/id_rsa"}), "user has 'client-key'"),
    (user(username="a", password="b"), "user has 'password', 'username'"),
    (user(**{"as": "x"}), "user has 'as'"),
    (cluster(**{"certificate-authority": "/etc/shadow"}), "cluster has 'certificate-authority'"),
    (cluster(**{"proxy-url": "http://evil"}), "cluster has 'proxy-url'"),
    (cluster(**{"insecure-skip-tls-verify": True}), "cluster has 'insecure-skip-tls-verify'"),
    (cluster(**{"tls-server-name": "x"}), "cluster has 'tls-server-name'"),
    (cluster(extensions=[]), "cluster has 'extensions'"),
    (lambda whole: whole.update(extensions=[]), "it has 'extensions'"),
    (lambda whole: whole.update(preferences={"colors": "x"}), "it has preferences"),
    (lambda whole: whole["users"].append(whole["users"][0]), "exactly one entry under users"),
    (lambda whole: whole.update(users=None), "exactly one entry under users"),
    (lambda whole: whole.update(clusters={}), "exactly one entry under clusters"),
    (lambda whole: whole["users"][0].update(more=1), "users has 'more'"),
    (lambda whole: whole.update(kind="List"), "no kubeconfig of version v1"),
    (user(**{"client-key-data": "c2VjcmV0"}), "client-key-data is no PEM"),
    (user(**{"client-key-data": pem("CERTIFICATE")}), "client-key-data is no PEM"),
    (user(**{"client-certificate-data": pem("RSA PRIVATE KEY")}), "client-certificate-data is no"),
    (user(**{"client-key-data": "!"}), "client-key-data is no base64"),
    (user(**{"client-key-data": ["a"]}), "client-key-data is missing"),
    (cluster(**{"certificate-authority-data": ""}), "certificate-authority-data is no PEM"),
    (cluster(**{"certificate-authority-data": pem("CERTIFICATE", b"A" * 300000)}), "larger than"),
])  # fmt: skip
def test_anything_else_is_refused_in_words(change: Callable[[Any], object], says: str) -> None:
    with pytest.raises(DeployError, match=f"admin.conf is refused: .*{says}") as caught:
        read(changed(change))
    assert caught.value.cure == "do this"


@pytest.mark.parametrize("content", [
    b"", b"null", b"[]", b"words", b"a: [", b"\xff\xfe\x00", b"[" * 5000, b"&a [*a]", b"? [a]\n: b",
    b"!!python/object/apply:os.system [id]", b"apiVersion: !!binary x", b"a: 2001-99-99",
    b"users: &u\n- name: x\n  user: *u\n",
])  # fmt: skip
def test_what_is_no_kubeconfig_at_all(content: bytes) -> None:
    with pytest.raises(DeployError, match="is refused"):
        read(content)


WORDS = st.one_of(
    st.sampled_from([*KUBEADM, "user", "cluster", "server", "v1", "Config"]), st.text()
)
TREES = st.recursive(WORDS, lambda c: st.one_of(st.lists(c), st.dictionaries(WORDS, c)))


@given(st.one_of(st.binary(), TREES.map(lambda tree: yaml.safe_dump(tree).encode())))
def test_any_content_is_credentials_or_an_error(content: bytes) -> None:
    with contextlib.suppress(DeployError):
        assert isinstance(read(content), Credentials)


def test_the_key_is_not_in_its_repr() -> None:
    assert CREDENTIALS.key not in repr(CREDENTIALS)
