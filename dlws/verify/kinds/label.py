"""Labels of nodes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.core.program import PROGRAM
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
    """The labels that config.yaml gives a node; those of ours that it has besides are wanted away.

    A node can give itself labels, and services go where they are.
    """
    wanted = labels.guarded(labels.all_labels(config)(node))
    virtual = labels.guarded(labels.vc_labels(node.machine))
    # labelvc is no part of the installation
    wanted |= {label: value for label, value in virtual.items() if label in live.labels}
    for label, value in wanted.items():
        if value is not None:
            yield Expectation("label", label, value, label_origin(config, node, label), "labels")
    for label in sorted(labels.managed(config) & set(live.labels) - set(wanted)):
        if live.labels[label] != "inactive" and label not in _of_worker(node, live):
            yield Expectation("label", label, "", label_origin(config, node, label))


def _of_worker(node: Node, live: KubeNode) -> labels.Wanted:
    """What `kubernetes uncordon` gives an infra node."""
    if not node.machine.is_infra or live.labels.get("worker") != "active":
        return {}
    return labels.guarded(
        {"worker": "active", **labels.worker_labels(node.machine, as_worker=True)}
    )


def label_origin(config: Config, node: Node, label: str) -> Origin:
    own, machine = ("machines", node.name), node.machine
    label = label.removeprefix(labels.RESTRICTED)
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
    if not thing.wanted:
        cure = f"{PROGRAM} kubectl label node {seen.node.name} {thing.what}-"
        yield differs(thing, f"is {has}, and config.yaml gives the node no such label", cure)
    elif has is None:
        yield differs(thing, f"is missing, not {thing.wanted}")
    elif has != thing.wanted and not {has, thing.wanted} <= _SWITCH:
        yield differs(thing, f"is {has}, not {thing.wanted}")


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubernetes import labels

    labels.apply(session.cluster, labels.all_labels(session.config), nodes)


KIND = Kind("label", _expect, _compare, fixes={"labels": Fix(7, _fix)})
