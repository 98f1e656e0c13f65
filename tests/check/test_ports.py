from __future__ import annotations

from pathlib import Path

from dlws.check import ports
from dlws.config import Config
from tests.support.facts import THREE, config_of


def test_the_ports_of_one_infra_node(config: Config) -> None:
    assert ports.needed(config) == [
        ("worker01", "infra01", 6443),
        ("worker02", "infra01", 6443),
        ("infra01", "worker01", 10250),
        ("infra01", "worker02", 10250),
    ]


def test_the_ports_of_three_infra_nodes_and_a_share(tmp_path: Path) -> None:
    needed = ports.needed(config_of(tmp_path, THREE))
    assert ("infra01", "infra03", 2379) in needed and ("infra03", "infra01", 2380) in needed
    assert ("worker01", "infra02", 2379) not in needed and (
        "worker01",
        "worker02",
        10250,
    ) not in needed
    assert ("worker02", "infra02", 2049) in needed and ("infra02", "infra02", 2049) not in needed
    assert len(needed) == len(set(needed))
    calico = ports.needed(config_of(tmp_path, THREE.replace("flannel", "calico")))
    assert ("worker01", "worker02", 179) in calico
