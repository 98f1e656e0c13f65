"""Devices that a plugin offers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.verify.kinds.kind import Kind
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


_DEVICES = {"gpu": ("nvidia", "nvidia.com/gpu"), "npu": ("huawei", "huawei.com/Ascend910")}


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if node.machine.in_cluster and known.of(node):
        yield from devices(node)


def devices(node: Node) -> Iterator[Expectation]:
    """What a device plugin offers of the devices that the configuration gives the node."""
    own, machine = ("machines", node.name), node.machine
    if not machine.is_worker:
        return  # the labels that plugins look for are those of workers
    maker, resource = _DEVICES.get(machine.type, ("", ""))
    if resource and machine.vendor.lower() in (maker, ""):
        yield Expectation("device", resource, machine.type, ((*own, "type"), own))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    there = len(seen.lines("kubernetes", thing.wanted))
    offered = seen.live.allocatable.get(thing.what, "0") if seen.live else "0"
    if not there and not seen.lines("kubernetes", "container"):
        yield differs(thing, f"the node shows no {thing.wanted}", "check its driver: status")
    elif str(there) != offered:
        cure = "see whether the device plugin runs there: kubectl get pods -A -o wide"
        mark = " stand-ins" if seen.lines("kubernetes", "stand_ins") else ""
        yield differs(thing, f"offers {offered} of {there}{mark}", cure)


KIND = Kind("device", _expect, _compare)
