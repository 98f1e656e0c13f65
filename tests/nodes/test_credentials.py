"""Users and passwords of registries, from config.yaml and for the cluster's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.config.registry import registry_of
from dlws.nodes.credentials import PASSWORD as KEPT
from dlws.nodes.credentials import Credential, credentials, everywhere, given, host_of
from tests.support.fakes import World, config_of
from tests.support.registries import CONFIG, OPEN, PASSWORD

MORE = (
    CONFIG.replace(
        "registry_credential:\n",
        "registry_credential:\n  index.docker.io: {username: u, password: p}\n",
    )
    + "private_docker_credential:\n  https://docker.io/: {username: other, password: q}\n"
    "  quay.example: {username: u2, password: p2}\n"
    "  nobody.example: {username: u3}\n"
)
PLACES = {"10.1.0.1:5443", "infra01:5443", "infra01.example.org:5443"}


def test_by_registry_and_for_our_own_by_all_names(tmp_path: Path) -> None:
    config = config_of(tmp_path, MORE)
    found = given(config)
    assert found["docker.io"] == Credential("u", "p")
    assert {*found} == {"docker.io", "quay.example", "10.1.0.1:5443"}
    known = everywhere(found, registry_of(config, {}))
    assert {name for name, one in known.items() if one == Credential("puller", PASSWORD)} == PLACES


def test_the_one_that_was_made_is_for_a_registry_of_our_own_without_another(
    make: Callable[..., World],
) -> None:
    for text, expected in (
        (OPEN, Credential("dlws", "made")),
        (CONFIG, Credential("puller", PASSWORD)),
    ):
        cluster = make(text).cluster
        cluster.run.vault.write(cluster.deploy / KEPT, b"made")
        known = credentials(cluster)
        assert {known.get(place) for place in PLACES} == {expected}


@pytest.mark.parametrize(("key", "host"), [
    ("https://index.docker.io/v1/", "docker.io"), ("docker.io", "docker.io"),
    ("apulistech/", "docker.io"), ("http://r:5000/v2/", "r:5000"), ("r.example", "r.example"),
    ("localhost", "localhost"),
])  # fmt: skip
def test_the_registry_that_a_key_is_for(key: str, host: str) -> None:
    assert host_of(key) == host
