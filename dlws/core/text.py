"""Small texts for people."""

from __future__ import annotations

import time


def took(seconds: float) -> str:
    """A duration for people: 0.4 s, 12 s, 3 min 20 s."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def since(start: float) -> str:
    """The time that passed since time.monotonic() was `start`."""
    return took(time.monotonic() - start)
