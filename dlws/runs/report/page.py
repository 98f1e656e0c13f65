"""A run as a page for people, and as JUnit for machines."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from dlws import __version__
from dlws.core.nodeset import counted
from dlws.core.templates import render
from dlws.core.terminal_text import visible
from dlws.runs.journal import Run
from dlws.runs.report import timeline
from dlws.runs.report.timeline import Lane

Record = dict[str, Any]

_MANY = 60
"""Of more lanes than this, commands that did well have no details."""


def html(run: Run, records: Sequence[Record]) -> str:
    """One page that needs nothing else; nodes that did the same are shown together."""
    steps = [record["name"] for record in records if record["kind"] == "step"]
    nodes = timeline.folded(timeline.lanes(run, records))
    seconds = timeline.moment(records[-1]) - timeline.moment(records[0])
    return render(
        "report.html",
        run=run,
        command=visible(shlex.join(run.argv), colours=False),
        steps=steps,
        lanes=[timeline.here(records), *nodes],
        brief=len(nodes) > _MANY,
        most=10 if len(nodes) > _MANY else 1000,
        axis=timeline.axis(seconds),
        title=_title,
        versions=records[0].get("versions", {}) | {"report": __version__},
    )


def _title(lane: Lane) -> str:
    """A node's name, or the node set of several, with their number."""
    return lane.nodes[0] if len(lane.nodes) == 1 else counted(lane.nodes)


def junit(run: Run, records: Iterable[Record]) -> str:
    """A test case for each node; one that failed, or was not tried, carries why."""
    kinds = ("failed", "lost", "skipped", "aside")
    why = {r["node"]: r["why"] for r in records if r["kind"] in kinds}
    skipped = [node for node, state in run.nodes.items() if state == "skipped"]
    bad = [node for node, state in run.nodes.items() if state != "ok" and node not in skipped]
    counts = {"tests": len(run.nodes), "failures": len(bad), "skipped": len(skipped)}
    numbers = {name: str(number) for name, number in counts.items()}
    suite = ElementTree.Element("testsuite", {"name": run.id, **numbers})
    for node, state in sorted(run.nodes.items()):
        case = ElementTree.SubElement(suite, "testcase", classname=run.command, name=node)
        if state != "ok":
            tag = "skipped" if node in skipped else "failure"
            found = ElementTree.SubElement(case, tag, message=state)
            found.text = printable(why.get(node, state))
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True)


def printable(text: str) -> str:
    """The text without the characters that XML has no way to write."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
