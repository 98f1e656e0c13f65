from __future__ import annotations

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.nodes.questions import parse, said


def test_lines_of_check_mode_are_told_from_others() -> None:
    text = b"differs: file\tx\ny\tz\nnothing to do\ndiffers: a\tb\tc d\n"
    assert said(Result(0, text)) == [("a", "b", "c d")]


def test_answers_by_the_names_of_their_questions() -> None:
    assert parse("0 0 QQ== \n1 7  Qg==", ["a", "b"]) == {
        "a": Result(0, b"A"),
        "b": Result(7, b"", b"B"),
    }


@pytest.mark.parametrize(
    "line",
    ["0 0 QQ==", "1 0 QQ== ", "0 x QQ== ", "0 0 QQ=  ", "0 0 Q!== ", "0 0 QQ== x=", "0 9999  "],
)
def test_what_is_no_answer(line: str) -> None:
    with pytest.raises(DeployError, match="asked question 0, got no answer"):
        parse(line, ["a"])


def test_an_answer_more_is_one_too_many() -> None:
    with pytest.raises(DeployError, match="asked 1 questions, got 2 answers"):
        parse("0 0 QQ== \n1 0  ", ["a"])
