"""Text that is safe on a terminal: colours pass, every other control character is shown.

A node, or whoever writes to its logs, could otherwise move the cursor, clear the screen, set the
window's title or the clipboard (OSC 52), or turn the direction of writing. `Guarded` is the one
place where this happens for a program: every line to a terminal goes through it.
"""

from __future__ import annotations

import codecs
import io
import os
import re
import sys
from collections.abc import Iterable
from typing import TextIO

RESET = "\x1b[0m"
BYTES_KEPT = "dlws.bytes"
"""An error handler: bytes that were no text are written as they were, other characters as `?`."""

_PARAMETERS = r"\x1b\[[0-9;:]{0,48}"
_COLOUR = re.compile(rf"({_PARAMETERS}m)")
_NO_COLOUR = re.compile(r"\x1b\[[0;:]*m")
_BEGUN = re.compile(rf"(?:{_PARAMETERS}|\x1b|\r)?\Z")
"""The end of a piece of text that may be the first half of a colour or of a line's end."""
_SPACES = re.compile(r"[\t\n\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


def visible(text: str, colours: bool = True) -> str:
    """The text with control characters in a visible form, colours left out where not wanted.

    C0 controls are shown as ^[, others as \\u009b or \\u202e, and bytes that are no UTF-8 (decoded
    with surrogateescape) as \\xff. A colour ends with its line.
    """
    if _harmless(text):
        return text
    shown, is_open = _shown(text.replace("\r\n", "\n"), False, colours)
    return shown + RESET if is_open else shown


def one_line(text: str, columns: int) -> str:
    """The text without colours, on one line of at most so many columns."""
    text = visible(" ".join(text.split("\n")), colours=False).replace("\t", " ")
    if text.isascii():
        return text[:columns]
    from unicodedata import east_asian_width

    kept, left = "", columns
    for character in text:
        left -= 2 if east_asian_width(character) in "WF" else 1
        if left < 0:
            break
        kept += character
    return kept


class VisibleStream:
    """Makes visible what comes in pieces: the same text, however it was cut."""

    def __init__(self, colours: bool = True) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("surrogateescape")
        self._colours, self._rest, self._open = colours, "", False

    def feed(self, data: bytes) -> str:
        """What can be shown once these bytes have come, too."""
        text = self._rest + self._decoder.decode(data)
        begun = _BEGUN.search(text)
        cut = begun.start() if begun else len(text)
        self._rest = text[cut:]
        return self._take(text[:cut])

    def end(self) -> str:
        """What is left to show when no more comes."""
        shown = self._take(self._rest + self._decoder.decode(b"", final=True))
        return shown + RESET if self._open else shown

    def _take(self, text: str) -> str:
        # A progress bar's states stand one below the other: the one before may be on screen.
        lines = text.replace("\r\n", "\n").replace("\r", "\n")
        shown, self._open = _shown(lines, self._open, self._colours)
        return shown


class Guarded(io.TextIOBase):
    """A text stream to a terminal that makes visible whatever is written to it.

    It has no `buffer`: nothing may go around it by mistake.
    """

    def __init__(self, terminal: TextIO) -> None:
        self.terminal = terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.terminal.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.terminal.errors

    def write(self, text: str) -> int:
        self.terminal.write(visible(text, colours=not os.environ.get("NO_COLOR")))
        return len(text)

    def flush(self) -> None:
        self.terminal.flush()

    def fileno(self) -> int:
        return self.terminal.fileno()

    def isatty(self) -> bool:
        return self.terminal.isatty()

    def writable(self) -> bool:
        return True


def guard() -> None:
    """Guard this program's output: terminals from control characters, files from lost bytes."""
    codecs.register_error(BYTES_KEPT, _keep_bytes)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if not isinstance(stream, io.TextIOWrapper):
            continue
        stream.reconfigure(errors=BYTES_KEPT)  # no character may end us, whatever the locale
        if stream.isatty():
            setattr(sys, name, Guarded(stream))


def control(stream: TextIO, sequence: str) -> None:
    """Write a control sequence of this program's own, which no node has a part in."""
    target = stream.terminal if isinstance(stream, Guarded) else stream
    target.write(sequence)


def _keep_bytes(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    wrong = error.object[error.start : error.end]
    return b"".join(map(_byte, wrong)), error.end


def _byte(character: str) -> bytes:
    escaped = 0xDC80 <= ord(character) <= 0xDCFF
    return character.encode(errors="surrogateescape") if escaped else b"?"


def _harmless(text: str) -> bool:
    return text.isprintable() or _SPACES.sub("", text).isprintable()


def _shown(text: str, is_open: bool, colours: bool) -> tuple[str, bool]:
    """The visible form, and whether a colour is still on at its end."""
    lines = []
    for number, line in enumerate(text.split("\n")):
        if number:
            lines.append(f"{RESET}\n" if is_open else "\n")
            is_open = False
        pieces = _COLOUR.split(line)
        if colours and len(pieces) > 1:
            is_open = not _NO_COLOUR.fullmatch(pieces[-2])
        if not colours:
            del pieces[1::2]
        lines += _pieces(pieces, 2 if colours else 1)
    return "".join(lines), is_open


def _pieces(pieces: list[str], step: int) -> Iterable[str]:
    """Every `step`th piece in its visible form; those between are colours."""
    for number, piece in enumerate(pieces):
        is_text = number % step == 0
        yield "".join(map(_form, piece)) if is_text and not _harmless(piece) else piece


def _form(character: str) -> str:
    code = ord(character)
    if _harmless(character):
        return character
    if code < 0x20:
        return f"^{chr(code + 0x40)}"
    if code == 0x7F:
        return "^?"
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
