"""What control characters become, whole and in pieces."""

from __future__ import annotations

import io
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dlws.core import terminal_text
from dlws.core.terminal_text import Guarded, VisibleStream, one_line, visible
from tests.support.farm.faults import ESCAPES
from tests.support.terminals import is_safe


def streamed(*pieces: bytes) -> str:
    stream = VisibleStream()
    return "".join([*map(stream.feed, pieces), stream.end()])


@pytest.mark.parametrize(("text", "shown"), [
    ("plain ü 漢\t\n", "plain ü 漢\t\n"),
    ("no\u00a0break\u3000wide", "no\u00a0break\u3000wide"),
    ("\x1b[2J\x1b[H", "^[[2J^[[H"),
    ("\x1b]52;c;aGk=\x07", "^[]52;c;aGk=^G"),
    ("\x1b]8;;http://x\x1b\\a", "^[]8;;http://x^[\\a"),
    ("\x1bPq\x1b\\ \x1b_a \x1b^b \x1bXc", "^[Pq^[\\ ^[_a ^[^b ^[Xc"),
    ("\x9b2J \x9d0;t\x9c", "\\u009b2J \\u009d0;t\\u009c"),
    ("a\x08b\x7f\x00", "a^Hb^?^@"),
    ("a\r\nb", "a\nb"),
    ("ok\rw2: forged", "ok^Mw2: forged"),
    ("\udc9b2J", "\\x9b2J"),
    ("\ud800", "\\ud800"),
    ("a\u202eb\u2066\u200b\ufeff", "a\\u202eb\\u2066\\u200b\\ufeff"),
    ("\U000e0041", "\\U000e0041"),
    ("\x1b[31mred\x1b[m", "\x1b[31mred\x1b[m"),
    ("\x1b[1;38:2:1:2:3mx", "\x1b[1;38:2:1:2:3mx\x1b[0m"),
    ("\x1b[31ma\nb", "\x1b[31ma\x1b[0m\nb"),
    ("\x1b[>4;1m \x1b[?25h \x1b[1 m", "^[[>4;1m ^[[?25h ^[[1 m"),
    (f"\x1b[{'1;' * 200}m", f"^[[{'1;' * 200}m"),
])  # fmt: skip
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert visible(shown) == shown


def test_colours_can_be_left_out() -> None:
    assert visible("\x1b[31mred\x1b[0m \x1b[2J", colours=False) == "red ^[[2J"


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.binary(max_size=20)))
@example([b"\x1b[3", b"1mred", b"\n\xc2", b"\x9b"])
@example([b"a\r", b"\nb\r", b"c"])
@example([b"\x1b"])
@example([ESCAPES])
@example([ESCAPES[n : n + 1] for n in range(len(ESCAPES))])
def test_any_bytes_however_cut_become_text_and_colours(pieces: list[bytes]) -> None:
    shown = streamed(*pieces)
    assert is_safe(shown)
    assert shown == streamed(b"".join(pieces))
    assert visible(shown) == shown


SEQUENCES = st.sampled_from(
    ["\x1b", "[", "]", "m", "1", ";", ":", "\r", "\n", "\x9b", "\u202e", "x"]
)


@settings(deadline=None)
@given(st.lists(SEQUENCES | st.characters()).map("".join))
def test_any_text_becomes_text_and_colours(text: str) -> None:
    shown = visible(text)
    assert is_safe(shown) and visible(shown) == shown
    assert "\x1b" not in visible(text, colours=False)
    assert is_safe(visible(text, colours=False))


@settings(deadline=None)
@given(st.text(), st.integers(0, 30))
def test_a_status_line_stays_one(text: str, columns: int) -> None:
    line = one_line(text, columns)
    assert len(line) <= columns and is_safe(line) and not {"\n", "\t", "\x1b"} & set(line)


def test_wide_characters_count_twice() -> None:
    assert one_line("漢字x", 4) == "漢字" and one_line("漢字x", 3) == "漢"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def test_the_guard_shows_on_terminals_and_keeps_bytes_in_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen, file = io.BytesIO(), io.BytesIO()
    monkeypatch.setattr(sys, "stderr", Terminal(screen, "utf-8", write_through=True))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(file, "ascii", write_through=True))
    terminal_text.guard()
    for stream in (sys.stdout, sys.stderr):
        stream.write(b"\x1b[2J\xff\n".decode(errors="surrogateescape"))
    assert isinstance(sys.stderr, Guarded) and not hasattr(sys.stderr, "buffer")
    sys.stderr.writelines(["\x1b[31mred", "\x07"])
    sys.stdout.write("ü")
    assert screen.getvalue() == b"^[[2J\\xff\n\x1b[31mred\x1b[0m^G"
    assert file.getvalue() == b"\x1b[2J\xff\n?"


def test_no_color_leaves_colours_out(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal(screen, "utf-8", write_through=True)
    Guarded(terminal).write("\x1b[31mred")
    assert screen.getvalue() == b"red"
