"""Command lines from words: each is what /bin/sh makes the same words of again."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.core.connection import Local
from dlws.shell.quoting import STARTED, chain, script, sh


@pytest.mark.parametrize(("words", "line"), [
    (("ls",), "ls"),
    (("ls", "-l", "/a/b_c.d"), "ls -l /a/b_c.d"),
    (("ls", "a b"), "ls 'a b'"),
    (("ls", ""), "ls ''"),
    (("echo", "$(x)", "`x`", "${x}"), "echo '$(x)' '`x`' '${x}'"),
    (("echo", "it's"), "echo 'it'\"'\"'s'"),
    (("echo", '"'), "echo '\"'"),
    (("echo", "a;b", "a|b", "a>b", "a&b"), "echo 'a;b' 'a|b' 'a>b' 'a&b'"),
    (("echo", "*", "?", "[a]", "~", "{a,b}"), "echo '*' '?' '[a]' '~' '{a,b}'"),
    (("echo", "two\nlines"), "echo 'two\nlines'"),
    (("echo", "ü"), "echo 'ü'"),
    (("kill", "-9", 42), "kill -9 42"),
])  # fmt: skip
def test_sh(words: tuple[object, ...], line: str) -> None:
    assert sh(*words) == line


def test_chain() -> None:
    assert chain("a") == "a"
    assert chain("a b", "c", "d") == "a b && c && d"


@pytest.mark.parametrize(("text", "arguments", "line"), [
    ("true", (), "sh -c true dlws"),
    ('echo "$1"', ("a b",), "sh -c 'echo \"$1\"' dlws 'a b'"),
    ("exit $1", (3,), "sh -c 'exit $1' dlws 3"),
    ("set -- x; echo $0", ("-n",), "sh -c 'set -- x; echo $0' dlws -n"),
])  # fmt: skip
def test_script(text: str, arguments: tuple[object, ...], line: str) -> None:
    assert script(text, *arguments) == line


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_words_come_back_from_a_line(words: list[str]) -> None:
    assert shlex.split(sh(*words)) == words


def test_a_shell_gives_a_script_its_arguments_as_they_were() -> None:
    words = ["a b", "$(id)", "'", '"', "\\", "*", "new\nline", "ü", "", "-n", "--"]
    done = Local().run(script("printf '%s\\0' \"$@\"", *words))
    assert done.out.decode().split("\0")[:-1] == words


def test_a_process_is_told_from_one_that_ended() -> None:
    line = script(f'{STARTED}\nstarted "$1" && [ "$began" ] && echo lives || echo ended', "$PID")
    assert Local().run(line.replace("'$PID'", "$$")).text == "lives"
    assert Local().run(line.replace("'$PID'", "999999999")).text == "ended"
