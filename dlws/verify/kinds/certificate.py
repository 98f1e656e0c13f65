"""Certificates of the control plane and the kubelet."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.kubeadm import podnetwork
from dlws.nodes.questions import template
from dlws.shell.quoting import script
from dlws.verify.kinds.kind import Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Difference,
    Expectation,
    Found,
    Question,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


WARN_DAYS = 30
"""Certificates that end within so many days are told."""


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if node.machine.in_cluster and known.joined(node):
        origin = (("kubernetes", "version"), ("machines", node.name))
        yield Expectation("certificate", "all", str(WARN_DAYS), origin)


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    """Certificates, units and devices in one question."""
    if wanted:
        units = ["kubelet.service", *([podnetwork.UNIT] if podnetwork.first_files(cluster) else [])]
        yield Question("kubernetes", script(template("verify/kubernetes.sh"), *units))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    cure = (
        "on that node: kubeadm certs renew all (1.19: kubeadm alpha certs renew all), then reboot"
    )
    for row in seen.lines("kubernetes", "certificate"):
        end, _, path = row.partition(" ")
        if not end:
            yield Difference("certificate", path, "cannot be read", thing.origin)
            continue
        days = int((int(end) - seen.known.now) // 86400)
        day = time.strftime("%Y-%m-%d", time.gmtime(int(end)))
        if days < int(thing.wanted):
            words = f"ends in {days} days, on {day}" if days >= 0 else f"ended on {day}"
            yield Difference("certificate", path, words, thing.origin, "", cure)


KIND = Kind("certificate", _expect, _compare, _ask)
