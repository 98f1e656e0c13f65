"""API servers that answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
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


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if known.silent and node.machine.is_infra:
        own = ("machines", node.name)
        yield Expectation("api", "API server", known.silent, (("kubernetes", "api_port"), own))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    yield differs(thing, f"does not answer: {split_lines(thing.wanted)[0]}", f"{PROGRAM} status")


KIND = Kind("api", _expect, _compare)
