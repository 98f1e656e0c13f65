"""Tables on a terminal and elsewhere."""

from __future__ import annotations

import io

import pytest

from dlws.core.terminal_text import Guarded
from dlws.runs import tables
from dlws.runs.console import Console
from tests.support.farm.faults import ESCAPES
from tests.support.terminals import is_safe

HEAD, ROWS = ("node", "what"), [("w1", "x[red]y hunter22"), ("w2", "")]


class Screen(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *rows: tuple[str, str]) -> str:
    screen, console = Screen(), Console()
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stdout", Guarded(screen))
    console.redactor.add(["hunter22"])
    tables.show(console, HEAD, rows, lambda row: ["red", ""])
    return screen.getvalue()


def test_columns_are_padded_and_nothing_is_markup(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.redactor.add(["hunter22"])
    tables.show(console, HEAD, ROWS, lambda row: ["red", ""])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "NODE  WHAT" and lines[1].startswith("w1    x[red]y ")
    assert "hunter22" not in lines[1]


def test_a_terminal_has_colours_and_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(monkeypatch, *ROWS)
    assert "\x1b[31mw1" in told and "x[red]y" in told and "hunter22" not in told


def test_what_a_node_says_is_shown_in_a_visible_form(monkeypatch: pytest.MonkeyPatch) -> None:
    told = shown(monkeypatch, ("w1", ESCAPES.decode(errors="surrogateescape")))
    assert all(map(is_safe, told.split("\n"))) and "^[" in told
