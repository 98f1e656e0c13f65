"""Where the API server answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.errors import DeployError
from dlws.nodes import endpoint
from dlws.prepare import hosts
from tests.support.fakes import CONFIG, THREE, World, config_of


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("api.example.org", "https://api.example.org:6443"),
        ("api.example.org:8443", "https://api.example.org:8443"),
        ("10.1.0.100", "https://10.1.0.100:6443"),
        ("fd00::5", "https://[fd00::5]:6443"),
        ("[fd00::5]:8443", "https://[fd00::5]:8443"),
    ],
)
def test_given_endpoint(tmp_path: Path, given: str, expected: str) -> None:
    text = CONFIG.replace("network: bridge", f"network: bridge, endpoint: '{given}'")
    chosen = endpoint.endpoint(config_of(tmp_path, text), ["10.1.0.1", "10.1.0.2"])
    assert (chosen.url, chosen.in_hosts) == (expected, False)


def test_one_infra_node_is_its_own_endpoint(make: Callable[..., World]) -> None:
    world = make()
    assert str(endpoint.api_endpoint(world.cluster)) == "10.1.0.1:6443"
    assert endpoint.host_lines(world.cluster) == []


def test_three_infra_nodes_share_a_name(make: Callable[..., World]) -> None:
    cluster = make(THREE).cluster
    assert str(endpoint.api_endpoint(cluster)) == "atlas-api:6443"
    assert endpoint.host_lines(cluster, cluster.infra[1]) == [
        "10.1.0.2 atlas-api",
        "10.1.0.3 atlas-api",
        "10.1.0.1 atlas-api",
    ]
    for node in cluster.nodes:
        assert len(set(endpoint.host_lines(cluster, node))) == 3


def test_the_shared_name_needs_addresses(make: Callable[..., World]) -> None:
    text = THREE.replace("infra02: {role: infrastructure, private-ip: 10.1.0.2}",
                         "infra02: {role: infrastructure}")  # fmt: skip
    cluster = make(text).cluster
    with pytest.raises(DeployError, match="is not known"):
        endpoint.host_lines(cluster)


@pytest.mark.parametrize("name", ["atlas", "Atlas", "my cluster", "a_b", "x.y"])
def test_the_shared_name_is_a_host_name(name: str) -> None:
    assert endpoint.api_name(name).replace("-", "").isalnum()


def test_certificates_are_for_every_way_to_a_server(make: Callable[..., World]) -> None:
    names = endpoint.certificate_names(make(THREE).cluster)
    assert names[0] == "atlas-api"
    assert {"infra02", "infra02.example.org", "10.1.0.2", "127.0.0.1"} <= set(names)
    assert len(names) == len(set(names))


def test_every_infra_node_finds_its_own_api_server_first(make: Callable[..., World]) -> None:
    cluster = make(THREE).cluster
    for node in cluster.infra:
        ours = hosts.lines(cluster, node)
        first = next(line for line in ours if line.endswith(" atlas-api"))
        assert first == f"{node.address} atlas-api"
        # `kubeadm join` then finds all as it wants it, and writes nothing.
        assert hosts.merged(hosts.merged("", ours), hosts.lines(cluster, node)) == hosts.merged(
            "", ours
        )
