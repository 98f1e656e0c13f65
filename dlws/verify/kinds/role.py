"""Roles, by the check mode of their scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.nodes.questions import CHECK_FAILED, said
from dlws.roles import apply, builder, carry
from dlws.roles.wanted import wanted as wishes
from dlws.storage import stages
from dlws.storage.glusterfs import ROLE
from dlws.verify.kinds.kind import Fix, Kind
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
    from dlws.session import Session


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    for role in known.carriers.of(node) if known.carriers else ():
        origin = carry.origin(role, node.machine)
        yield Expectation("role", role.name, "", origin, f"role:{role.name}")


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    for thing in wanted:
        assert known.carriers
        one = wishes(known.carriers.role(thing.what), known.carriers.values(node))
        yield Question(_name(thing), builder.question(thing.what), b"", builder.members(one))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    result = seen.answers[_name(thing)]
    rows = said(result)
    if result.code not in (0, CHECK_FAILED) or (result.code and not rows):
        raise DeployError(f"the role {thing.what} cannot check this node: {result.complaint}")
    for kind, what, words in rows:
        text, _, cure = words.partition("; cure: ")
        yield Difference(kind, what, text, thing.origin, thing.fix, cure)


def _name(thing: Expectation) -> str:
    return f"role {thing.what}"


def _fix(session: Session, nodes: list[Node], name: str) -> None:
    carriers = carry.Carriers(session.cluster)
    apply.bring(carriers, nodes, [carriers.role(name)])
    if name == ROLE:  # the next role that is mended may mount what these serve
        stages.serve_volumes(session.cluster)


KIND = Kind("role", _expect, _compare, _ask, {"role": Fix(12, _fix)})
