"""Our lines of /etc/hosts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.check import foreign
from dlws.core.text import split_lines
from dlws.nodes import endpoint
from dlws.prepare import hosts
from dlws.shell.quoting import script
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Difference,
    Expectation,
    Found,
    Origin,
    Question,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    names = [*known.names, *endpoint.host_lines(cluster, node)]
    yield Expectation("hosts", "/etc/hosts", "\n".join(names), (("machines", node.name),), "hosts")


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    yield Question("hosts", "cat /etc/hosts")
    yield Question("cloud", script(f"{foreign.functions()}\ncloud_hosts"))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    config, has = seen.cluster.config, seen.answers["hosts"].text + "\n"
    ours = split_lines(thing.wanted)
    if hosts.merged(has, ours) == has:
        return
    there = set(split_lines(has))
    missing = [line for line in ours if line not in there]
    for line in missing:
        names = [name for name in config.machines if name in line.split()]
        origin: Origin = tuple(("machines", name) for name in names)
        if not names:
            origin = (("kubernetes", "endpoint"), ("cluster_name",))
        what, why = f"{thing.what} {line.split()[-1]}", ""
        if told := "".join(seen.lines("cloud", "cloud_hosts")[:1]):
            stop = foreign.keep_cloud_init_out(told)
            why = f" (cloud-init writes the file anew at each start; there: {stop})"
        yield Difference("file", what, f"is not there as: {line}{why}", origin, thing.fix)
    if not missing:
        yield Difference("file", thing.what, "has other lines of ours", thing.origin, thing.fix)


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    hosts.install(session.cluster, nodes)


KIND = Kind("hosts", _expect, _compare, _ask, {"hosts": Fix(2, _fix)})
