"""The table of az_tools.py's commands: true to the modules, and all that the help needs."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from dlws.cli.az.table import COMMANDS
from dlws.cli.global_options import document
from dlws.cli.lazy import top_level
from tests.support import ROOT

MODULES = sorted({module for module, _ in COMMANDS.values()})
FRAME = {"__init__", "root", "table"}
_IMPORTED = """
import atexit, sys
from dlws.cli.az import main
atexit.register(lambda: sys.stderr.write("imported: " + " ".join(sorted(sys.modules))))
main()
"""


@pytest.mark.parametrize("name", MODULES)
def test_the_table_holds_the_commands_of_a_module_and_no_others(name: str) -> None:
    commands = top_level(import_module(f"dlws.cli.az.{name}"))
    for command in commands:
        document(command)
    listed = {key: row for key, row in COMMANDS.items() if row[0] == name}
    assert listed == {command.name: (name, command.short_help) for command in commands}


def test_the_table_names_every_module_of_commands() -> None:
    there = {path.stem for path in (ROOT / "dlws/cli/az").glob("*.py")}
    assert there - FRAME == set(MODULES)


def test_the_help_imports_no_command_and_no_sdk() -> None:
    words = [sys.executable, "-c", _IMPORTED, "--help"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    names = set(done.stderr.partition("imported: ")[2].split())
    assert all(f"  {name} " in done.stdout for name in COMMANDS)
    ours = {name for name in names if name.startswith("dlws.cli.az.")}
    assert ours == {"dlws.cli.az.root", "dlws.cli.az.table"}
    assert not {"azure", "paramiko", "pydantic", "dlws.session"} & names
