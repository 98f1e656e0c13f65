"""The table of commands: true to the modules, and all that the help and completion need."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from dlws.cli.global_options import document
from dlws.cli.lazy import top_level, write_rows
from dlws.cli.root import cli
from dlws.cli.table import COMMANDS

ROOT = Path(__file__).parent.parent.parent
MODULES = sorted({module for module, _ in COMMANDS.values()})
FRAME = {"entry", "global_options", "lazy", "root", "table"}
"""The modules of dlws.cli that every command line needs."""
HELPERS = {"completion", "questions"}
"""Those that only some commands need."""

_IMPORTED = """
import atexit, sys
@atexit.register
def tell():
    found = sorted(name for name in sys.modules if name.startswith("dlws"))
    sys.stderr.write("imported: " + " ".join(found) + "\\n")
sys.argv = ["deploy.py", *sys.argv[1:]]
"""
_MANY = """
from dlws.cli import table
table.COMMANDS.update({f"command{n}": (f"none{n}", f"Do number {n}") for n in range(120)})
"""
_MAIN = "from dlws.cli import main\nmain()\n"


def ran(
    *words: str, before: str = "", environment: dict[str, str] | None = None
) -> tuple[str, str, set[str]]:
    """Both outputs of a run in a process of its own, and the modules of dlws that it imported."""
    done = subprocess.run(
        [sys.executable, "-c", _IMPORTED + before + _MAIN, *words],
        env={**os.environ, **(environment or {})},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    said, _, imported = done.stderr.rpartition("imported: ")
    return done.stdout, said, set(imported.split())


def of_commands(imported: set[str]) -> set[str]:
    """The modules of commands among those imported."""
    names = {name.removeprefix("dlws.cli.") for name in imported if name.startswith("dlws.cli.")}
    return names - FRAME - HELPERS


def completed(words: str, shell: str = "bash") -> tuple[list[str], set[str]]:
    """What a shell offers for the last of these words, and the modules of commands imported."""
    typed = words.split(" ")
    given = {"_DEPLOY_PY_COMPLETE": f"{shell}_complete", "COMP_WORDS": f"deploy.py {words}"}
    given["COMP_CWORD"] = typed[-1] if shell == "fish" else str(len(typed))
    shown, _, imported = ran(environment=given)
    return shown.split("\n"), of_commands(imported)


@pytest.mark.parametrize("name", MODULES)
def test_the_table_holds_the_commands_of_a_module_and_no_others(name: str) -> None:
    commands = top_level(import_module(f"dlws.cli.{name}"))
    for command in commands:
        document(command)
    listed = {key: row for key, row in COMMANDS.items() if row[0] == name}
    assert listed == {command.name: (name, command.short_help) for command in commands}


def test_the_table_names_every_module_of_commands() -> None:
    there = {path.stem for path in (ROOT / "dlws/cli").glob("*.py")} - {"__init__"}
    assert there - FRAME - HELPERS == set(MODULES)


def test_the_help_of_120_commands_imports_none_of_them() -> None:
    shown, said, imported = ran("--help", before=_MANY)
    assert not said
    assert all(f"command{n} " in shown and f"Do number {n}\n" in shown for n in range(120))
    lines = shown.partition("Commands:\n")[2].splitlines()
    names = [line.split()[0] for line in lines if not line.startswith("   ")]
    assert names == [*COMMANDS, *(f"command{n}" for n in range(120))]
    frame = {f"dlws.cli.{name}" for name in FRAME}
    core = {"dlws.core", "dlws.core.errors", "dlws.core.terminal_text"}  # it guards the output
    assert imported == {"dlws", "dlws.cli", *core, *frame}


@pytest.mark.parametrize("width", [60, 78, 79, 80, 100, 200])
def test_the_commands_of_the_help_are_set_as_click_sets_them(width: int) -> None:
    rows = [(name, text) for name, (_, text) in COMMANDS.items()]
    ours, theirs = click.HelpFormatter(width=width), click.HelpFormatter(width=width)
    with ours.section("Commands"), theirs.section("Commands"):
        write_rows(ours, rows)
        theirs.write_dl(rows)
    assert ours.getvalue() == theirs.getvalue()


def test_the_help_of_a_command_imports_its_module_alone() -> None:
    shown, _, imported = ran("hosts", "trust", "--help")
    assert "Show the host keys" in shown
    assert of_commands(imported) == {"build"}


@pytest.mark.parametrize(("words", "own"), [
    ("steps --help", {"up"}), ("--dry-run steps --help", {"up"}), ("steps --help -v", {"up"}),
    ("execonall status --help", {"nodes"}), ("--dir steps execonall --help", {"nodes"}),
    ("kubernetes cordon --help", {"kubernetes"}), ("runscriptonall --help", {"scripts"}),
])  # fmt: skip
def test_a_command_line_imports_the_module_of_its_command_alone(words: str, own: set[str]) -> None:
    assert of_commands(ran(*words.split())[2]) == own


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completing_the_name_of_a_command_imports_no_command(shell: str) -> None:
    lines, imported = completed("runscriptonr", shell)
    names = [name for name in COMMANDS if name.startswith("runscriptonr")]
    assert len(names) == 2
    for name in names:
        module_and_help = COMMANDS[name]
        line = {"bash": f"plain,{name}", "fish": f"plain,{name}", "zsh": name}[shell]
        assert any(found.startswith(line) for found in lines)
        assert shell == "bash" or module_and_help[1] in "\n".join(lines).replace("\\:", ":")
    assert imported == set()


def test_completing_options_imports_the_module_of_that_command() -> None:
    lines, imported = completed("--dry-run verify --f")
    assert lines == ["plain,--fix", ""]
    assert imported == {"verify"}


def test_completing_global_options_imports_no_command() -> None:
    lines, imported = completed("--dr")
    assert lines == ["plain,--dry-run", ""]
    assert imported == set()


def test_completing_the_commands_of_a_group_imports_that_group() -> None:
    lines, imported = completed("lock ")
    assert lines == ["plain,break", "plain,status", ""]
    assert imported == {"lock"}


@pytest.mark.parametrize(("typed", "meant"), [
    ("execonal", "'execonall'"), ("verifi", "'verify'"), ("statsu", "'status'"),
])  # fmt: skip
def test_a_mistyped_command_names_those_that_are_near(typed: str, meant: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        cli.main([typed], standalone_mode=False)
    assert caught.value.exit_code == 2
    assert f"No such command '{typed}'. Did you mean" in caught.value.format_message()
    assert meant in caught.value.format_message()


def test_a_command_that_is_near_nothing_is_only_named() -> None:
    with pytest.raises(click.UsageError) as caught:
        cli.main(["qqqqqqqq"], standalone_mode=False)
    assert caught.value.format_message() == "No such command 'qqqqqqqq'."
