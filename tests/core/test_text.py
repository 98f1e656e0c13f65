from __future__ import annotations

from dlws.core.text import split_lines, took


def test_lines_end_at_newlines_alone() -> None:
    assert split_lines("") == []
    assert split_lines("\n") == [""]
    assert split_lines("a\n\nb") == split_lines("a\n\nb\n") == ["a", "", "b"]
    assert split_lines("a\x0bb\u2028c\r\x85") == ["a\x0bb\u2028c\r\x85"]


def test_durations_for_people() -> None:
    assert [took(s) for s in (0.44, 12.3, 61)] == ["0.4 s", "12 s", "1 min 1 s"]
