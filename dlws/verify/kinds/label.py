"""Labels of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.kubernetes import labels
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Expectation,
    Found,
    Origin,
    differs,
)

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.kubernetes.api import KubeNode
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


_SWITCH = {"active", "inactive"}
_MACHINE_KEYS = {"archType": "archtype", "gpuType": "gpu-type", "sku": "sku", "vc": "vc"}


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    live = known.of(node)
    if node.machine.in_cluster and live:
        yield from wanted_labels(cluster.config, node, live)


def wanted_labels(config: Config, node: Node, live: KubeNode) -> Iterator[Expectation]:
    wanted = labels.all_labels(config)(node)
    if "vc" in live.labels:  # labelvc is no part of the installation
        wanted |= labels.vc_labels(node.machine)
    for label, value in wanted.items():
        if value is not None:
            yield Expectation("label", label, value, label_origin(config, node, label), "labels")


def label_origin(config: Config, node: Node, label: str) -> Origin:
    own, machine = ("machines", node.name), node.machine
    if label in machine.labels:
        return ((*own, "labels", label), own)
    if label in _MACHINE_KEYS:
        more = {"gpuType": "vendor", "sku": "node-group"}.get(label, "type")
        return ((*own, _MACHINE_KEYS[label]), (*own, more), own)
    for key in ("type", "vendor", "series"):
        if getattr(machine, key) == label:
            return ((*own, key), own)
    if label in config.kubelabels:
        return (("kubelabels", label), (*own, "role"), own)
    return (own,)


def _compare(thing: Expectation, seen: Comparison) -> Found:
    has = seen.live.labels.get(thing.what) if seen.live else None
    if has is None:
        yield differs(thing, f"is missing, not {thing.wanted}")
    elif has != thing.wanted and not {has, thing.wanted} <= _SWITCH:
        yield differs(thing, f"is {has}, not {thing.wanted}")


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubernetes import labels

    labels.apply(session.cluster, labels.all_labels(session.config), nodes)


KIND = Kind("label", _expect, _compare, fixes={"labels": Fix(7, _fix)})
