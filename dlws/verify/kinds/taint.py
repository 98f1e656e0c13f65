"""The control plane's taint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.kubernetes import versions
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Expectation,
    Found,
    differs,
)

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.kubernetes.api import KubeNode
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    live = known.of(node)
    if node.machine.in_cluster and live:
        yield from wanted_taints(cluster.config, node, live)


def wanted_taints(config: Config, node: Node, live: KubeNode) -> Iterator[Expectation]:
    """The control plane's taint on infra nodes, unless `kubernetes uncordon` lets them work."""
    own = ("machines", node.name)
    origin = ((*own, "role"), own)
    if not node.machine.is_infra:
        for name in versions.TAINTS:
            yield Expectation("taint", name, "", origin, "taints")
    elif live.labels.get("worker") != "active":
        for name in versions.feature("control_plane_taints", config.kubernetes.version).split():
            yield Expectation("taint", name, "NoSchedule", origin, "taints")


def _compare(thing: Expectation, seen: Comparison) -> Found:
    taints = {taint["key"]: taint["effect"] for taint in (seen.live.taints if seen.live else ())}
    if taints.get(thing.what, "") != thing.wanted:
        has = taints.get(thing.what) or "missing"
        yield differs(thing, f"is {has}, not {thing.wanted or 'missing'}")


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubernetes import scheduling

    scheduling.taint_control_plane(session.cluster, nodes)


KIND = Kind("taint", _expect, _compare, fixes={"taints": Fix(8, _fix)})
