"""What a person sees of the nodes' output."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from dlws.core.errors import ReaderGone
from dlws.runs.console import Console
from tests.support import ROOT
from tests.support.statuses import told_statuses


def shown(capsys: pytest.CaptureFixture[str], *pieces: bytes) -> list[str]:
    receive, finish = Console().echo("w1")
    for piece in pieces:
        receive("out", piece)
    finish()
    return capsys.readouterr().out.split("\n")[:-1]


@pytest.mark.parametrize(("pieces", "lines"), [
    ([b"one\ntwo\n"], ["one", "two"]),
    ([b"on", b"e\nt", b"wo"], ["one", "two"]),
    ([b"a\r", b"\nb\r\n"], ["a", "b"]),
    ([b"10 %\r", b"20 %\r", b"done\n"], ["10 %", "20 %", "done"]),
    ([b"no end\r"], ["no end"]),
    ([b"\n\n"], ["", ""]),
    ([], []),
    ([b"caf\xe9 \xff\n"], ["caf\ufffd \ufffd"]),
    (["ü".encode()[:1], "ü".encode()[1:] + b"\n"], ["ü"]),
    ([b"nul \x00 bell\n"], ["nul \x00 bell"]),
])  # fmt: skip
def test_lines_however_they_arrive(
    capsys: pytest.CaptureFixture[str], pieces: list[bytes], lines: list[str]
) -> None:
    assert shown(capsys, *pieces) == [f"w1: {line}" for line in lines]


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("pieces", "lines"), [
    ([b"one\ntwo\n"], ["one", "two"]),
    ([b"a\r", b"\nb\r\n"], ["a", "b"]),
    ([b"10 %\r", b"20 %\r", b"done\n"], ["done"]),
    ([b"10 %\r20 %", b"\r"], ["20 %"]),
    ([b"10 %\r\r", b"\r\n"], ["10 %"]),
    ([b"x\r"] * 9, ["x"]),
    ([b"\r\n\n"], ["", ""]),
    ([], []),
    ([b"x" * 65537, b"yz\n"], ["x" * 65536, "xyz"]),
])  # fmt: skip
def test_a_terminal_shows_the_last_state_of_a_line(
    monkeypatch: pytest.MonkeyPatch, pieces: list[bytes], lines: list[str]
) -> None:
    screen = io.BytesIO()
    terminal = Terminal(screen, "utf-8", write_through=True)
    monkeypatch.setattr(sys, "stdout", terminal)
    receive, finish = Console().echo("")
    for piece in pieces:
        receive("out", piece)
    finish()
    assert screen.getvalue().decode().split("\n")[:-1] == lines


def test_a_line_without_end_is_cut_between_characters(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, b"x" + "ü€".encode() * 40_000)
    assert all(len(line.encode()) <= 65536 + 4 for line in lines)
    assert "".join(line[4:] for line in lines) == "x" + "ü€" * 40_000


def test_streams_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    receive, finish = Console().echo("w1")
    receive("out", b"half")
    receive("err", b"trouble\n")
    finish()
    seen = capsys.readouterr()
    assert (seen.out, seen.err) == ("w1: half\n", "w1: trouble\n")


def test_names_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.align(["w1", "worker10"])
    console.say("one\ntwo", "w1")
    assert capsys.readouterr().err == "w1:       one\nw1:       two\n"


def test_a_reader_that_left_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    class Closed:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> None:
            raise BrokenPipeError

    monkeypatch.setattr(sys, "stdout", Closed())
    receive, _ = Console().echo("w1")
    with pytest.raises(ReaderGone):
        receive("out", b"line\n")


FLOOD = """
import os, resource, sys
from dlws.core.connection import Local
from dlws.runs.console import Console
receive, finish = Console().echo("w1")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = Local().run(sys.argv[1], echo=receive, keep=1 << 20)
finish()
assert result.lost + len(result.out) == 100_000_000, result.lost
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, file=sys.stderr)
"""


@pytest.mark.parametrize("source", [
    "head -c 100000000 /dev/zero",
    "yes 'a line of some length, as programs print them' | head -c 100000000",
])  # fmt: skip
def test_100_megabytes_do_not_fill_memory(source: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FLOOD, source],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        check=True,
    )
    assert int(done.stderr) < 40_000  # KiB more than before


def gathered(console: Console, said: dict[str, list[str]]) -> None:
    """What nodes say during one action, the last one's first."""
    with console.gathered(list(said)):
        for node, texts in reversed(said.items()):
            for text in texts:
                console.say(text, node)
            console.ended(node)


def test_equal_progress_is_said_once_with_the_node_set(capsys: pytest.CaptureFixture[str]) -> None:
    gathered(Console(), {"infra1": ["begin"], "w1": ["begin", "odd"], "w2": ["begin"]})
    assert capsys.readouterr().err == "3 nodes infra1,w[1-2]: begin\nw1: odd\n"


@pytest.mark.parametrize("console", [Console(live=True), Console(verbose=True)])
def test_everything_can_be_had_as_it_comes(
    capsys: pytest.CaptureFixture[str], console: Console
) -> None:
    gathered(console, {"w1": ["a"], "w2": ["a"]})
    assert capsys.readouterr().err == "w2: a\nw1: a\n"


def test_what_all_have_said_is_shown_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with console.gathered(["w1", "w2"]):
        console.say("one", "w1")
        console.say("two", "w1")
        assert capsys.readouterr().err == ""
        console.say("one", "w2")
        assert capsys.readouterr().err == "2 nodes w[1-2]: one\n"
    assert capsys.readouterr().err == "w1: two\n"


def test_an_action_and_its_diff_stay_together(capsys: pytest.CaptureFixture[str]) -> None:
    gathered(Console(), {"w1": ["write /x\n  -1\n  +2"], "w2": ["write /x\n  -3\n  +2"]})
    told = capsys.readouterr().err
    assert told == "w1: write /x\nw1:   -1\nw1:   +2\nw2: write /x\nw2:   -3\nw2:   +2\n"


def answer(console: Console, node: str, text: str) -> None:
    receive, finish = console.echo(node, answer=True)
    receive("out", text.encode())
    finish()


def test_a_program_gets_answers_in_the_order_of_the_nodes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    console = Console()
    with console.gathered(["w1", "w2", "w3"]):
        answer(console, "w2", "two\n")
        console.ended("w2")
        assert not capsys.readouterr().out
        answer(console, "w1", "one\n")
        assert capsys.readouterr().out == "w1: one\n", "the first passes as it comes"
        console.ended("w1")
        assert capsys.readouterr().out == "w2: two\n"
        answer(console, "w3", "three\n")
        console.ended("w3")
    assert capsys.readouterr().out == "w3: three\n"


def test_a_person_gets_equal_answers_together(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", Terminal(screen, "utf-8", write_through=True))
    monkeypatch.setenv("NO_COLOR", "1")
    console = Console()
    with console.gathered(["w1", "w2", "w3"]):
        for node, text in (("w1", "6.1\n"), ("w2", "5.15\nold\n"), ("w3", "6.1\n")):
            answer(console, node, text)
            console.ended(node)
    assert screen.getvalue().decode() == "2 nodes w[1,3]:\n6.1\n1 node w2:\n5.15\nold\n"


def test_what_was_held_is_shown_after_an_interruption(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    with pytest.raises(KeyboardInterrupt), console.gathered(["w1", "w2"]):
        console.say("half", "w2")
        raise KeyboardInterrupt
    assert capsys.readouterr().err == "w2: half\n"


def test_a_dry_run_never_says_changed(capsys: pytest.CaptureFixture[str]) -> None:
    Console(dry_run=True).changed("a file", "w1")
    assert capsys.readouterr().err == "w1: would change: a file\n"


def test_the_last_status_that_has_not_ended_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", Terminal(screen, "utf-8", write_through=True))
    console = Console()

    def drawn() -> str:
        console.say("x")
        return screen.getvalue().decode().rpartition("\n")[2]

    outer, inner = console.status(lambda: "outer"), console.status(lambda: "inner")
    with outer:
        with inner:
            assert drawn() == "inner"
        assert drawn() == "outer"
    assert drawn() == ""


def test_statuses_may_end_in_any_order(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stderr", Terminal(screen, "utf-8", write_through=True))
    console = Console()
    first, second = console.status(lambda: "first"), console.status(lambda: "second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    console.say("x")
    assert screen.getvalue().endswith(b"x\n")


def test_work_is_shown_with_its_title_unless_more_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    told = told_statuses(monkeypatch)
    console = Console()
    with console.working("saving"), console.working("asking"):
        assert [text.partition(",")[0] for text in told] == ["saving"]
    with console.working("asking"):
        assert told[1].startswith("asking, ")
