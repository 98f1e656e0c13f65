"""Small texts for people."""

from __future__ import annotations

import time
from collections.abc import Sequence


def split_lines(text: str) -> list[str]:
    """The lines of what a machine printed. Nothing but a newline ends one: str.splitlines() also
    splits at U+2028 and other characters that may stand within a value."""
    return text.removesuffix("\n").split("\n") if text else []


def took(seconds: float) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min 20 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def since(start: float) -> str:
    """The time that passed since time.monotonic() was `start`."""
    return took(time.monotonic() - start)


def columns(lines: Sequence[Sequence[str]]) -> str:
    """Cells in columns, two blanks apart; every line has as many."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    )
    return "\n".join(line.rstrip() for line in padded)
