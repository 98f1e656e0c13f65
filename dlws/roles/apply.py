"""Bring roles to nodes and take them away: one question, and one change where need be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlws.core.nodeset import count, fold
from dlws.nodes.questions import Members, answers, packed, said, would_change
from dlws.roles import builder
from dlws.roles import values as fill
from dlws.roles import wanted as wishes
from dlws.roles.carry import Carriers, ordered
from dlws.runs.plan import Planned
from dlws.shell import files

if TYPE_CHECKING:
    from dlws.core.connection import Result
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.roles.folder import Role
    from dlws.roles.wanted import Wanted


def apply(cluster: Cluster, role: str, patterns: Sequence[str] = ()) -> None:
    """Bring a role, and those that it needs before it, to the nodes that carry it."""
    carriers = Carriers(cluster)
    nodes = carriers.chosen(role, patterns)
    roles = [carriers.roles[name] for name in ordered([role], carriers.roles)]
    bring(carriers, nodes, roles)


def apply_all(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Bring every role that is not apart to those of the nodes that carry it.

    That is one question to each of them.
    """
    carriers = Carriers(cluster)
    all_roles = {node.name: carriers.of(node) for node in nodes}
    ours = {name: [r for r in roles if not r.says.apart] for name, roles in all_roles.items()}
    carried = {name: roles for name, roles in ours.items() if roles}

    def one(node: Node) -> int:
        known = carriers.values(node)
        return on_node(node, [wishes.wanted(role, known) for role in carried[node.name]])

    carrying = [node for node in nodes if node.name in carried]
    outcomes = cluster.change_all(carrying, one, "roles", protect_quorum=True)
    if not any(outcome.value for outcome in outcomes):
        names = fold(carried)
        cluster.run.console.say(f"roles: nothing to do{f' on {names}' if names else ''}")


def bring(carriers: Carriers, nodes: Sequence[Node], roles: Sequence[Role]) -> None:
    """Bring roles to nodes in their order, many nodes at once."""
    cluster = carriers.cluster
    title = f"role {' '.join(role.name for role in roles)}"

    def one(node: Node) -> int:
        known = carriers.values(node)
        return on_node(node, [wishes.wanted(role, known) for role in roles])

    outcomes = cluster.change_all(nodes, one, title, protect_quorum=True)
    changed = sum(bool(outcome.value) for outcome in outcomes)
    if not changed:
        names = count(outcomes)
        cluster.run.console.say(f"nothing to do: {title} is as it should be on {names}")


def on_node(node: Node, wanted: Sequence[Wanted]) -> int:
    """Bring what is wanted to a node; how many of the roles had to be changed for that."""
    seen = asked(node, {one.role: builder.members(one) for one in wanted})
    changed = 0
    for one in wanted:
        if lines := would_change(seen[one.role]):
            _change(node, one, seen[one.role], lines)
            changed += 1
    return changed


def asked(node: Node, scripts: Mapping[str, Members]) -> dict[str, Result]:
    """What the scripts of roles say in check mode; one round trip."""
    members: Members = {}
    for number, (role, own) in enumerate(scripts.items()):
        members[f"{number}.sh"] = (builder.question(role).encode(), 0o600)
        members[f"{number}.in"] = (b"", 0o600)
        members |= own
    return dict(answers(node, packed(members), list(scripts)))


def _change(node: Node, wanted: Wanted, seen: Result, lines: Sequence[str]) -> None:
    paths = {what for kind, what, _ in said(seen) if kind == "file"}
    if not seen.ok:  # it did not come to its end, so that nobody knows of all files
        paths = {file.path for file in wanted.files}
    differing = [file for file in wanted.files if file.path in paths]
    shown = node.difference(differing) if node.gate.diff else ()
    members = builder.members(wanted, paths)
    _run(node, wanted.role, f"apply role {wanted.role}", members, [*lines, *shown])


def _run(node: Node, role: str, title: str, members: Members, lines: Sequence[str]) -> None:
    result = node.run(
        f"{files.RUN} {builder.command(role)}",
        stdin=builder.archive(members),
        sudo=True,
        title=title,
        live=True,
        planned=Planned(preview=tuple(lines)),
    )
    node.count_changes(result.out)


def remove(cluster: Cluster, role: str, patterns: Sequence[str] = ()) -> None:
    """Take a role away from nodes, by what they have on record of it. Directories stay."""
    carriers = Carriers(cluster)
    found = carriers.role(role)

    def one(node: Node) -> bool:
        known = carriers.values(node)
        undone = wishes.removal(found, known)
        packages = wishes.packages(found, fill.with_vars(found, known)) if undone.packages else {}
        members = builder.removal(role, undone, packages)
        lines = would_change(asked(node, {role: members})[role])
        if lines:
            _run(node, role, f"remove role {role}", members, lines)
        return bool(lines)

    nodes = cluster.select(patterns)
    outcomes = cluster.change_all(nodes, one, f"removing role {role}", protect_quorum=True)
    if not any(outcome.value for outcome in outcomes):
        cluster.run.console.say(f"nothing to do: the role {role} is on none of these nodes")
