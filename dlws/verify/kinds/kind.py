"""A kind of things: the functions that know it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlws.verify.things import ClusterFacts, Comparison, Difference, Expectation, Question

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


def _asks_nothing(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    yield from ()


@dataclass(frozen=True)
class Fix:
    """What puts things right on nodes. Those with a lower `order` run first, as an installation."""

    order: int
    run: Callable[[Session, list[Node], str], object]


@dataclass(frozen=True)
class Kind:
    """What is wanted of a node, what to ask it, how to compare, and the fixes by their names."""

    name: str
    expect: Callable[[Cluster, Node, ClusterFacts], Iterator[Expectation]]
    compare: Callable[[Expectation, Comparison], Iterator[Difference]]
    ask: Callable[[Cluster, Node, ClusterFacts, Sequence[Expectation]], Iterator[Question]] = (
        _asks_nothing
    )
    fixes: Mapping[str, Fix] = field(default_factory=dict)
