from __future__ import annotations

from dlws.core.connection import Result
from dlws.nodes.questions import said


def test_lines_of_check_mode_are_told_from_others() -> None:
    text = b"differs: file\tx\ny\tz\nnothing to do\ndiffers: a\tb\tc d\n"
    assert said(Result(0, text)) == [("a", "b", "c d")]
