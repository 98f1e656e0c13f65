"""How the program was started, in every line that a person may copy."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.core.program import PROGRAM, Program, typed
from tests.support import ROOT

ALLOWED = {"core/program.py", "runs/options.py"}
"""Modules that may name the program: its name where nothing is known of how it was started."""
SOURCES = {p.relative_to(ROOT / "dlws").as_posix(): p for p in (ROOT / "dlws").rglob("*.py")}


def texts(tree: ast.AST) -> Iterator[str]:
    """All texts of a module but its docstrings."""
    docs = {id(item.value) for item in ast.walk(tree) if isinstance(item, ast.Expr)}
    for item in ast.walk(tree):
        if isinstance(item, ast.Constant) and isinstance(item.value, str) and id(item) not in docs:
            yield item.value


def too_early(tree: ast.Module) -> list[int]:
    """The lines that read PROGRAM at import, before the command line has been."""

    def walk(item: ast.AST) -> Iterator[int]:
        if isinstance(item, (ast.FunctionDef, ast.Lambda)):
            return
        if isinstance(item, ast.FormattedValue) and ast.unparse(item.value).startswith("PROGRAM"):
            yield item.lineno
        for inner in ast.iter_child_nodes(item):
            yield from walk(inner)

    return list(walk(tree))


def test_a_text_that_is_made_too_early_is_seen() -> None:
    source = 'A = f"run: {PROGRAM} x"\ndef f():\n    return f"{PROGRAM}"\nB = [f"{PROGRAM.name}"]\n'
    assert too_early(ast.parse(source)) == [1, 4]


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_no_text_names_the_program_by_itself(name: str) -> None:
    tree = ast.parse(SOURCES[name].read_text())
    named = [text for text in texts(tree) if "deploy.py" in text]
    assert not named or name in ALLOWED
    assert too_early(tree) == []


def test_it_reads_as_the_words_that_start_the_program() -> None:
    program = Program()
    assert f"run: {program} build" == "run: deploy.py build"
    program.begin_with("dlws", "dlws --dir '/a b'")
    assert f"run: {program} build" == "run: dlws --dir '/a b' build"
    assert program.name == "dlws" and str(PROGRAM) == "deploy.py"


def test_the_program_is_named_as_a_person_would_type_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("bin", "here", "else"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "dlws").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(tmp_path / "here")
    assert typed(str(tmp_path / "bin/dlws")) == "dlws"
    assert typed(str(tmp_path / "here/dlws")) == "./dlws" and typed("dlws") == "./dlws"
    assert typed(str(tmp_path / "else/dlws")) == str(tmp_path / "else/dlws")
    assert typed("../else/dlws") == "../else/dlws"
    (tmp_path / "linked").symlink_to(tmp_path / "bin/dlws")
    assert typed(str(tmp_path / "linked")) == str(tmp_path / "linked")
    assert typed("") == typed("-c") == "deploy.py" and typed("gone.py") == "gone.py"


def named_for_people(text: str) -> list[str]:
    """Lines, but for comments, that name a command line of ours by a name of the program."""
    lines = [line for line in text.splitlines() if not re.match(r"\s*(#|\{#|\{%)", line)]
    return [line for line in lines if re.search(r"\b(deploy|az_tools)\.py[ `'][a-z-]", line)]


def test_a_program_that_is_named_in_a_text_for_people_is_seen() -> None:
    assert named_for_people('hint: "run: deploy.py role list"\n# deploy.py up\n')
    assert not named_for_people('# deploy.py up\nexec ../deploy.py "$@"')


@pytest.mark.parametrize("place", ["templates/nodes", "templates/services", "templates/registry",
                                   "scripts"])  # fmt: skip
def test_no_role_service_or_script_names_the_program_by_itself(place: str) -> None:
    """It may have been started as `dlws --dir DIR`."""
    for path in (ROOT / place).rglob("*"):
        if path.is_file() and path.name not in ENTRIES:
            assert not named_for_people(path.read_text(errors="replace")), path


ENTRIES = {"pass_secret.sh", "pre_download_images.sh"}
"""Scripts that start the program themselves."""
