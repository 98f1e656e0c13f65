"""Carry on a run: whether that can be, where, and what has to be settled before."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core.connection import Echo
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.limits import PATIENT
from dlws.core.program import PROGRAM
from dlws.runs import journal, lock, records
from dlws.runs.journal import Journal, Run
from dlws.runs.recorded import check_ours
from dlws.shell import recorder

_LONGEST = 4096

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


def resumable(directory: Path, run: str, force: bool) -> Run:
    """The run to carry on; raises UsageError where there is nothing to, Refused if it is unsafe."""
    place = journal.find(directory / "deploy", run)
    check_ours(place, place / records.NAME)
    found = journal.read(place)
    journal.ended(found)
    if found.command in lock.SHARED:
        raise UsageError(
            f"{found.command} is not resumed: it ends with this program, its outcome is not kept",
            f"on the nodes that failed: {journal.retry_failed(found.argv)}",
        )
    if found.config and found.config != journal.config_hash(directory) and not force:
        raise Refused(
            f"config.yaml has changed since {found.id}: what was done then may not be what it says",
            f"run the command anew, or resume all the same: {PROGRAM} --force resume",
        )
    if _age(found) > timedelta(days=recorder.KEPT_DAYS) and not force:
        raise Refused(
            f"{found.id} began more than {recorder.KEPT_DAYS} days ago: nodes no longer know what "
            "they did in it",
            f"run the command anew, or resume all the same: {PROGRAM} --force resume",
        )
    return found


def _age(run: Run) -> timedelta:
    return datetime.now(timezone.utc) - datetime.fromisoformat(run.started)


def reconcile(cluster: Cluster, record: Journal) -> None:
    """Wait until the nodes have ended what an earlier part of this run asked of them.

    What the run then reads there is what it goes on from. A node that does not answer keeps its
    commands open: it fails where it is asked for something.
    """
    asked: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for begun in record.in_flight:
        asked[begun["node"]].append(begun)
    for node in cluster.nodes:
        node.had_begun(record.placed.get(node.name, ()))
    nodes = [node for node in cluster.nodes if node.name in asked]
    cluster.try_all(nodes, lambda node: _reconcile(node, record, asked[node.name]), "reconciling")


def _reconcile(node: Node, record: Journal, begun: list[dict[str, Any]]) -> None:
    titles = {record["operation"]: record["title"] for record in begun}
    for root in (True, False):  # each user's operations lie in a place of their own
        operations = [r["operation"] for r in begun if r.get("root", True) is root]
        if not operations:
            continue
        line = recorder.waiting_line(operations, node.is_root(root))
        answer = node.read(line, sudo=root, echo=_waiting(node, titles), bounds=PATIENT)
        found = recorder.outcomes(answer.text)
        if {one.operation for one in found} - set(operations):
            raise DeployError("it speaks of commands that it was not asked about", _ANEW)
        for one in found:
            record.settled(node.name, titles[one.operation], one)


_ANEW = "look at /var/lib/dlws/ops on that node; or run the command anew"


def _waiting(node: Node, titles: dict[str, str]) -> Echo:
    """Says of what is still at work that it is waited for, of each once."""
    rest, waited_for = b"", dict(titles)

    def receive(name: str, data: bytes) -> None:
        nonlocal rest
        *lines, rest = (rest + data if name == "out" else rest).split(b"\n")
        rest = rest[:_LONGEST]  # no line of ours is longer
        for line in lines:
            operation, _, word = line.decode(errors="replace").partition(" ")
            if word == "runs" and (title := waited_for.pop(operation, "")):
                node.say(f"waiting for what still runs: {title}")

    return receive
