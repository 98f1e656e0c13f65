"""The timeline of a run: what each node and this machine were at work on, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from dlws.core.terminal_text import visible
from dlws.core.text import took
from dlws.runs.journal import Run

Record = dict[str, Any]

HERE = "this machine"
MARKS = {"failed": "failed", "aside": "failed", "skipped": "skipped"}
"""Records that are shown as a mark where no bar says it already, and the state that they show."""
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
"""Seconds between the marks of a time axis."""
_SAID = 1500
"""Characters of what a command said last: the rest is in the node's log."""


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
    """What one node, or several nodes alike, were asked for, in order."""

    nodes: list[str]
    state: str
    bars: list[Bar] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    wrote: list[str] = field(default_factory=list)

    @property
    def content(self) -> object:
        """What has to be equal for two nodes to be shown as one: all but the times."""
        bars = [(b.title, b.state, "" if b.state == "ok" else b.said) for b in self.bars]
        return repr((self.state, bars, self.changed, self.wrote))


def lanes(run: Run, records: Sequence[Record]) -> list[Lane]:
    """The timeline of each node, by name."""
    begin, end = moment(records[0]), moment(records[-1])
    whole = max(end - begin, 0.001)
    found = {node: Lane([node], state) for node, state in sorted(run.nodes.items())}
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


def here(records: Sequence[Record]) -> Lane:
    """What this machine did: the steps, each from the end of the one before, and its changes."""
    begin = last = moment(records[0])
    whole = max(moment(records[-1]) - begin, 0.001)
    lane = Lane([HERE], "")
    for record in records:
        if record["kind"] == "step":
            left, seconds = 100 * (last - begin) / whole, moment(record) - last
            title = f"step {_text(record['name'])}"
            width = round(100 * seconds / whole, 2)
            lane.bars.append(Bar(title, "ok", round(left, 2), width, round(seconds, 1)))
            last = moment(record)
        elif record["kind"] == "changed" and not record.get("node"):
            lane.changed.append(_text(record["what"]))
    return lane


def folded(all_: Iterable[Lane]) -> list[Lane]:
    """Nodes that did the same as one lane; its bars reach from the first begin to the last end."""
    found: dict[object, Lane] = {}
    for lane in all_:
        first = found.setdefault(lane.content, lane)
        if first is not lane:
            first.nodes += lane.nodes
            first.bars = [_both(*pair) for pair in zip(first.bars, lane.bars, strict=True)]
    return list(found.values())


def _both(one: Bar, other: Bar) -> Bar:
    left = min(one.left, other.left)
    end = max(one.left + one.width, other.left + other.width)
    seconds = max(one.seconds, other.seconds)
    return replace(one, left=left, width=round(end - left, 2), seconds=seconds)


def axis(seconds: float) -> list[tuple[float, str]]:
    """The marks of a time axis: percent of the run's time, and the time that has passed there."""
    gap = next((tick for tick in _TICKS if seconds / tick <= 10), 86400)
    number = min(int(seconds // gap), 100)
    return [
        (round(100 * i * gap / max(seconds, 0.001), 2), _time(i * gap)) for i in range(number + 1)
    ]


def _time(seconds: int) -> str:
    return f"{seconds} s" if seconds < 60 else took(seconds).removesuffix(" 0 s")


def _bar(record: Record, title: str, start: float, whole: float) -> Bar:
    seconds = record.get("seconds", 0)
    state = {0: "ok", None: "lost"}.get(record.get("code"), "failed")
    said = record.get("why", "") or record.get("last", "")
    left, width = round(100 * start / whole, 2), round(100 * seconds / whole, 2)
    return Bar(_text(title), state, left, width, seconds, _text(said)[-_SAID:])


def _text(said: str) -> str:
    """What a node said, without its colours, other control characters visible."""
    return visible(said, colours=False)


def moment(record: Record) -> float:
    """When a record was written, in seconds since 1970."""
    return datetime.fromisoformat(record["time"]).timestamp()
