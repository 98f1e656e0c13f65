"""Units that are enabled and started."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.kubeadm import podnetwork
from dlws.shell.quoting import sh
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Expectation,
    Found,
    differs,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if not (node.machine.in_cluster and known.joined(node)):
        return
    own = ("machines", node.name)
    origins = {"kubelet.service": (("kubernetes", "version"), own)}
    if podnetwork.first_files(cluster):
        origins[podnetwork.UNIT] = (("kubernetes", "network"), own)
    for name, origin in origins.items():
        yield Expectation("unit", name, "enabled active", origin, f"unit:{name}")


def _compare(thing: Expectation, seen: Comparison) -> Found:
    rows = [row.partition(" ") for row in seen.lines("kubernetes", "unit")]
    has = next((state for name, _, state in rows if name == thing.what), "")
    if has != thing.wanted:
        has = ", ".join(has.split()) or "unknown"
        yield differs(thing, f"is {has}, not {thing.wanted.replace(' ', ' and ')}")


def _fix(session: Session, nodes: list[Node], name: str) -> None:
    command = sh("systemctl", "enable", "--now", "--quiet", name)

    def start(node: Node) -> None:
        node.run(command, sudo=True, title=f"enable and start {name}")
        if not node.dry_run:
            node.changed(f"{name} is enabled and started")

    session.cluster.change_all(nodes, start, name, protect_quorum=True)


KIND = Kind("unit", _expect, _compare, fixes={"unit": Fix(6, _fix)})
