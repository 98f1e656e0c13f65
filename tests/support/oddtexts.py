"""Texts with every control sequence, and answers whose texts are such."""

from __future__ import annotations

from typing import Any

from tests.support.farm.faults import ESCAPES

CLASSES = (
    "\x07", "\x08", "\x0e", "\x7f", "\x85", "\x9b2J", "\x1b[2J", "\x1b[?1049h", "\x1bc", "\x1b(0",
    "\x1b]52;c;aGk=\x07", "\x1b]0;t\x1b\\", "\x9d0;t\x9c", "\x1bPq\x1b\\", "\x90q\x9c",
    "\x1b_x\x1b\\", "\x1b^x\x1b\\", "\x1bXx\x1b\\", "\u202e", "\u2028", "\udcc2", "\udcff",
)  # fmt: skip
"""One of each: C0, DEL, C1, CSI, ESC, charsets, OSC, DCS, APC, PM, SOS, directions, bytes that are
no UTF-8."""
ODD = "".join(f"<{one}>" for one in CLASSES)
ALL = ESCAPES.decode(errors="surrogateescape")
SHOWN = "<^[]52;c;aGk=^G>"
"""How a sequence of it looks that would have set the clipboard."""


def bent(value: Any, key: str) -> Any:
    """An answer all of whose texts of one name are odd."""
    if isinstance(value, dict):
        return {name: odd(one) if name == key else bent(one, key) for name, one in value.items()}
    return [bent(one, key) for one in value] if isinstance(value, list) else value


def odd(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(odd, value)) if all(isinstance(one, str) for one in value) else value
    return ODD if isinstance(value, str) else value
