"""Whether there is a registry of the cluster's own, where it is, and who may use it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.config.registry import OurRegistry, at, is_server_name, registry_of, server_name

BASE = """
cluster_name: atlas
network: {domain: example.org}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w2: {role: worker, private-ip: 10.1.0.2}
  w1: {role: worker}
"""
LOGIN = ": {username: u, password: p}}\n"


def found(more: str, text: str = BASE) -> OurRegistry | None:
    return registry_of(from_text(text + more, Path()), {"w1": "10.9.9.9"})


@pytest.mark.parametrize(("more", "node", "host"), [
    ("", None, ""),
    ("registry: {port: 5000}", None, ""),
    ("registry: {enabled: true}", "infra01", "10.1.0.1"),
    ("kubernetes: {source: bundle}", "infra01", "10.1.0.1"),
    ("kubernetes: {source: bundle}\nregistry: {enabled: false}", None, ""),
    ("registry: {node: w2}", "w2", "10.1.0.2"),
    ("registry: {node: w2.example.org}", "w2", "10.1.0.2"),
    ("registry: {node: w1}", "w1", "10.9.9.9"),
    ("registry: {node: w1, host: images.example.org}", "w1", "images.example.org"),
])  # fmt: skip
def test_where_it_is(more: str, node: str | None, host: str) -> None:
    registry = found(more)
    assert (registry and registry.node) == node
    assert not registry or (registry.host, registry.place) == (host, f"{host}:5443")


def test_the_machine_with_the_role_carries_it() -> None:
    registry = found("", BASE.replace("{role: worker}", "{role: [worker, registry]}"))
    assert registry and registry.hosts == ("10.9.9.9", "w1.example.org", "w1")


@pytest.mark.parametrize(("name", "expected"), [
    ("10.1.0.1:5443", True), ("https://infra01:5443/", True), ("infra01.example.org:5443", True),
    ("10.1.0.1", False), ("10.1.0.1:5000", False), ("other.example:5443", False),
])  # fmt: skip
def test_who_may_use_it(name: str, expected: bool) -> None:
    registry = found(f'registry: {{enabled: true}}\nregistry_credential: {{"{name}"{LOGIN}')
    assert registry and (registry.login is not None) is expected


def test_a_user_without_a_password_lets_nobody_in() -> None:
    registry = found(
        "registry: {enabled: true}\nregistry_credential: {infra01:5443: {username: u}}"
    )
    assert registry and registry.login is None


def test_without_a_login_of_its_own_it_gives_images_at_another_port() -> None:
    for said, port in (("enabled: true", 5442), ("enabled: true, pull_port: 5555", 5555)):
        registry = found(f"registry: {{{said}}}")
        assert registry and registry.instances[1].gives_only
        assert (registry.instances[1].port, registry.pull_place) == (port, f"10.1.0.1:{port}")
        assert registry.instances[1].path == registry.instances[0].path
    closed = found(f'registry: {{enabled: true}}\nregistry_credential: {{"10.1.0.1:5443"{LOGIN}')
    assert closed and not closed.pull_places and len(closed.instances) == 1


def test_mirrors_have_the_next_ports_and_directories_of_their_own() -> None:
    registry = found('registry: {node: w1, path: /data/r/, mirror: [docker.io, "[fd00::1]:5000"]}')
    assert registry
    assert [(one.name, one.port, one.path, one.upstream) for one in registry.instances] == [
        ("main", 5443, "/data/r/main", ""),
        ("pull", 5442, "/data/r/main", ""),
        ("mirror-docker.io", 5444, "/data/r/mirror-docker.io", "https://registry-1.docker.io"),
        ("mirror-_fd00::1_:5000", 5445, "/data/r/mirror-_fd00::1_:5000", "https://[fd00::1]:5000"),
    ]


@pytest.mark.parametrize(("text", "name"), [
    ("docker.io", "docker.io"), ("https://index.docker.io/v1/", "docker.io"),
    ("registry-1.docker.io", "docker.io"), (" https://quay.io/ ", "quay.io"),
    ("http://h:5000/x", "h:5000"), ("[fd00::1]:5000", "[fd00::1]:5000"),
])  # fmt: skip
def test_names_of_registries(text: str, name: str) -> None:
    assert server_name(text) == name and is_server_name(name)


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert (at("fd00::1", 1), at("h", 1)) == ("[fd00::1]:1", "h:1")
