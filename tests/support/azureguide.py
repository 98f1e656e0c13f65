"""Command lines of the older guide to a cluster on Azure, and what becomes of each in a test."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One line; `kind` is do, try (as a dry run) or not, the latter two with a reason."""

    text: str
    kind: str = "do"
    why: str = ""


def lines() -> list[Line]:
    text = (Path(__file__).parent / "seed000.txt").read_text()
    return [_line(row) for row in text.splitlines() if row and not row.startswith("#")]


def _line(row: str) -> Line:
    kind, colon, rest = row.partition(": ")
    if kind not in ("try", "not") or not colon:
        return Line(row)
    words, _, why = rest.rpartition(" -- ")
    assert words and why, f"{row}: has no reason"
    return Line(words, kind, why)
