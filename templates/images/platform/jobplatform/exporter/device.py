"""A device as its driver's program tells it, and the reader that failed to."""

from __future__ import annotations

from dataclasses import dataclass


class Silent(Exception):
    """There are devices, and what they do cannot be read now."""


@dataclass(frozen=True)
class Device:
    """Percent and degrees Celsius; None is what the program does not tell. `errors`: those of its
    memory that were not corrected, since the driver was loaded. `processes`: ids on the node."""

    number: str
    use: float | None = None
    memory: float | None = None
    temperature: float | None = None
    errors: float | None = None
    processes: tuple[int, ...] = ()


def number(text: str | None) -> float | None:
    """The number at the beginning of `37 %` or `61 C`; None for N/A and whatever else is none."""
    try:
        return float((text or "").split()[0])
    except (IndexError, ValueError):
        return None
