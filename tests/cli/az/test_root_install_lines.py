"""Every command line of the older guide to a cluster on Azure is understood as it stands there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from dlws.cli import cli
from dlws.cli.az import az
from dlws.services import folder
from tests.support import ROOT, azureguide

LINES = [line.text for line in azureguide.lines() if line.kind != "not"]
PROGRAMS = {"deploy.py": cli, "az_tools.py": az}


def understood(program: click.Group, words: list[str]) -> str:
    """The command that a line means; a click exception where it means none."""
    with program.make_context("x", words) as root:
        ctx = root
        while isinstance(ctx.command, click.Group) and (rest := [*ctx._protected_args, *ctx.args]):
            name, command, rest = ctx.command.resolve_command(ctx, rest)
            assert command
            ctx = command.make_context(name, rest, parent=ctx)
        return ctx.command_path.removeprefix("x ")


@pytest.mark.parametrize("line", LINES)
def test_it_is_understood(line: str) -> None:
    program, *words = shlex.split(line)
    name = program.removeprefix("./")
    assert (ROOT / name).exists()
    if name in PROGRAMS:
        assert understood(PROGRAMS[name], words)
    for script in re.findall(r"scripts/\S+", line):
        assert (ROOT / script).is_file()


def test_services_that_are_started_are_there(tmp_path: Path) -> None:
    wanted = [line.split()[-1] for line in LINES if " kubernetes start " in line]
    assert len(folder.named(folder.load_all(tmp_path), wanted)) == len(wanted)


def test_a_line_that_is_wrong_is_not_understood() -> None:
    for words in (["kubernetes", "begin", "mysql"], ["labelskew"], ["runscriptonroles"]):
        with pytest.raises(click.UsageError):
            understood(cli, words)
