"""What a login shell gets: the command as it was, after the mark."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.connection import Local
from dlws.shell.marked import BEFORE, MARK, with_mark
from dlws.shell.quoting import script, sh
from tests.support.commands import unmarked


@pytest.mark.parametrize("command", [
    "true", "echo 'a\nb'", "sh -c 'echo a' && rm b", "sh -c 'echo a' $HOME", "sh -c echo>file", ""
])  # fmt: skip
def test_a_persons_own_command_is_the_login_shells(command: str) -> None:
    assert with_mark(command) == f"{BEFORE}{command}"


@pytest.mark.parametrize("line", [
    sh("sh", "-c", "echo a\necho 'b!' \\"), sh("/bin/sh", "-c", "true", "dlws"), script("x", "平台")
])  # fmt: skip
def test_ours_are_plain_characters_in_short_words(line: str) -> None:
    sent = with_mark(line)
    assert sent.isascii() and sent.isprintable() and sent != f"{BEFORE}{line}"
    assert "!" not in sent and unmarked(sent) == line


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3000))
def test_what_is_sent_is_what_was_said(text: str) -> None:
    line = script(":", text)
    assert unmarked(with_mark(line)) == line
    assert all(len(word) < 1000 for word in with_mark(line).split(" '"))


def test_what_is_no_text_comes_through() -> None:
    line = script('printf %s "$1"', "\udcff\u5e73")
    assert unmarked(with_mark(line)) == line
    assert Local().run(with_mark(line)).out == MARK + b"\xff\xe5\xb9\xb3"


@pytest.mark.parametrize(
    "line", ["printf ab", sh("sh", "-c", "printf ab"), script("printf a\nprintf b")]
)
def test_the_mark_is_on_both_streams(line: str) -> None:
    done = Local().run(with_mark(line))
    assert (done.out, done.err) == (MARK + b"ab", MARK)
