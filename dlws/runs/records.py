"""The records of a run as they lie on the disk: a JSON object a line, of a shape for each kind."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

NAME = "journal.jsonl"

Record = dict[str, Any]
Shape = Mapping[str, Callable[[Any], bool]]


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_text, value))


def _code(value: Any) -> bool:
    return isinstance(value, int)


def _moment(value: Any) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


_OF_NODE: Shape = {"node": _text}
_OF_COMMAND: Shape = {**_OF_NODE, "operation": _text}
_SHAPES: Mapping[str, Shape] = {
    "run": {"argv": lambda v: _texts(v) and bool(v), "command": _text, "cwd": _text}
    | {"config": _text},
    "begin": {**_OF_COMMAND, "title": _text},
    "done": {**_OF_COMMAND, "title": _text, "code": _code}
    | {"seconds": lambda v: isinstance(v, int | float) and math.isfinite(v)},
    "lost": {**_OF_COMMAND, "why": _text},
    "settled": {**_OF_COMMAND, "title": _text, "how": _text}
    | {"code": lambda v: v is None or _code(v)},
    "placing": {**_OF_NODE, "files": lambda v: isinstance(v, list) and all(map(_pair, v))},
    "put": {**_OF_NODE, "path": _text},
    "changed": {"what": _text},
    "finished": {**_OF_NODE, "title": _text},
    "failed": {**_OF_NODE, "title": _text, "why": _text},
    "skipped": {**_OF_NODE, "title": _text, "why": _text},
    "aside": {**_OF_NODE, "step": _text, "why": _text},
    "step": {"name": _text},
    "end": {"outcome": _text},
}
_MAY_BE: Shape = {
    **dict.fromkeys(("node", "title", "last", "config"), _text),
    "without": _texts,
    "versions": lambda v: isinstance(v, dict),
}


def _pair(value: Any) -> bool:
    return _texts(value) and len(value) == 2


def parsed(line: str) -> Record | None:
    """A record; None where the line is none: a crash tore it, or somebody changed it."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if not isinstance(record, dict) or not _text(record.get("kind")):
        return None
    may_be = {name: fits for name, fits in _MAY_BE.items() if name in record}
    shape = {**may_be, "time": _moment, **_SHAPES.get(record["kind"], {})}
    fitting = (name in record and fits(record[name]) for name, fits in shape.items())
    return record if all(fitting) else None


def records(directory: Path) -> Iterator[Record]:
    """The records of a run, in order, without the lines that are none."""
    return (record for line in _lines(directory) if (record := parsed(line)))


def unreadable(directory: Path) -> list[int]:
    """The numbers of the lines that are no records, counted from 1."""
    lines = enumerate(_lines(directory), 1)
    return [number for number, line in lines if line and parsed(line) is None]


def begun(directory: Path) -> bool:
    """Whether a run began here: without a whole first line it has asked nothing of a node."""
    try:
        with (directory / NAME).open("rb") as file:
            return file.readline().endswith(b"\n")
    except (FileNotFoundError, NotADirectoryError):
        return False


def _lines(directory: Path) -> list[str]:
    """The last one is what a crash tore, else empty."""
    try:
        return (directory / NAME).read_text(errors="replace").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return []
