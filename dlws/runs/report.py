"""A run as a page for people, and as JUnit for machines."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

from dlws import __version__
from dlws.core.templates import render
from dlws.core.terminal_text import visible
from dlws.runs.journal import Run

Record = dict[str, Any]

MARKS = {"failed": "failed", "aside": "failed", "skipped": "skipped"}
"""Records that are shown as a mark where no bar says it already, and the state that they show."""


@dataclass
class Bar:
    """A command on the timeline; `left` and `width` in percent of the run's time."""

    title: str
    state: str
    left: float
    width: float
    seconds: float
    said: str = ""


@dataclass
class Lane:
    """What one node was asked for, in order."""

    node: str
    state: str
    bars: list[Bar] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)


def html(run: Run, records: Sequence[Record]) -> str:
    """One page that needs nothing else."""
    steps = [record["name"] for record in records if record["kind"] == "step"]
    return render(
        "report.html",
        run=run,
        command=_text(shlex.join(run.argv)),
        steps=steps,
        lanes=lanes(run, records),
        versions=records[0].get("versions", {}) | {"report": __version__},
    )


def lanes(run: Run, records: Sequence[Record]) -> list[Lane]:
    """The timeline of each node, by name."""
    begin, end = moment(records[0]), moment(records[-1])
    whole = max(end - begin, 0.001)
    found = {node: Lane(node, state) for node, state in sorted(run.nodes.items())}
    open_: dict[str, tuple[float, str]] = {}
    for record in records:
        lane = found.get(record.get("node", ""))
        if lane is None:
            continue
        if record["kind"] == "begin":
            open_[record["operation"]] = (moment(record), record["title"])
        elif record["kind"] in ("done", "lost", "settled") and record["operation"] in open_:
            start, title = open_.pop(record["operation"])
            lane.bars.append(_bar(record, title, start - begin, whole))
        elif record["kind"] == "changed" and not record["what"].startswith("/"):
            lane.changed.append(_text(record["what"]))  # files are listed whole, as they were put
        elif record["kind"] == "put":
            lane.wrote.append(_text(record["path"]))
        elif record["kind"] in MARKS and all(bar.state == "ok" for bar in lane.bars):
            at = 100 * (moment(record) - begin) / whole
            title = f"step {record['step']}" if record["kind"] == "aside" else record["title"]
            state, why = MARKS[record["kind"]], _text(record["why"])
            lane.bars.append(Bar(_text(title), state, round(at, 2), 0, 0, why))
    return list(found.values())


def _bar(record: Record, title: str, start: float, whole: float) -> Bar:
    seconds = record.get("seconds", 0)
    state = {0: "ok", None: "lost"}.get(record.get("code"), "failed")
    said = record.get("why", "") or record.get("last", "")
    left, width = round(100 * start / whole, 2), round(100 * seconds / whole, 2)
    return Bar(_text(title), state, left, width, seconds, _text(said))


def _text(said: str) -> str:
    """What a node said, without its colours, other control characters visible."""
    return visible(said, colours=False)


def moment(record: Record) -> float:
    return datetime.fromisoformat(record["time"]).timestamp()


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
