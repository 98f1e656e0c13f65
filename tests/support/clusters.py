from __future__ import annotations

from dlws.config import from_text
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Login, Node
from tests.support.fakes import Fake
from tests.support.invocations import unrecorded

TEXT = """
cluster_name: test
network: {domain: test.example}
machines:
  infra1: {role: infrastructure, private-ip: 10.0.0.1}
  gpu01: {role: worker, private-ip: 10.0.0.11}
  gpu02: {role: [worker, nfs], private-ip: 10.0.0.12}
  gpu03: {role: worker, private-ip: 10.0.0.13}
"""


def cluster_of(*nodes: str, parallel: int = 32) -> Cluster:
    config, run = from_text(TEXT), unrecorded(nodes=nodes, parallel=parallel)
    found = [
        Node(machine, str(machine.private_ip), Fake(), Login(), run)
        for machine in config.machines.values()
    ]
    return Cluster(config, found, run)


def names_of(nodes: list[Node]) -> str:
    return " ".join(node.name for node in nodes)
