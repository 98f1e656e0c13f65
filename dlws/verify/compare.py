"""From the kinds of things to what is wanted of a node, and to what differs there. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.verify.kinds import KINDS
from dlws.verify.things import ClusterFacts, Comparison, Difference, Expectation

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


def expected(cluster: Cluster, node: Node, known: ClusterFacts) -> list[Expectation]:
    """Everything that is looked after on a node, what is looked at closest first."""
    return [thing for kind in KINDS for thing in kind.expect(cluster, node, known)]


def compare(wanted: Sequence[Expectation], seen: Comparison) -> list[Difference]:
    """Every difference, each thing once: who looks closest comes first in `wanted`."""
    found: dict[tuple[str, str], Difference] = {}
    for thing in wanted:
        for difference in COMPARERS[thing.kind](thing, seen):
            what = difference.what.removesuffix(".service")
            by = (thing.kind, thing.what)
            found.setdefault((difference.kind, what), replace(difference, by=by))
    return list(found.values())


COMPARERS = {kind.name: kind.compare for kind in KINDS}
