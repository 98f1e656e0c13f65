"""What a person sees of the nodes' output."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest

from dlws.core.errors import ReaderGone
from dlws.runs.console import Console
from tests.support import ROOT


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
