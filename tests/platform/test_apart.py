"""The platform and the deployment tool know nothing of each other; small modules, all of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import ROOT

PLATFORM = ROOT / "templates/images/platform/jobplatform"


def imported(path: Path) -> Iterator[str]:
    """The top packages that a module imports, wherever the import stands."""
    for item in ast.walk(ast.parse(path.read_text())):
        if isinstance(item, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in item.names)
        elif isinstance(item, ast.ImportFrom) and item.module:
            yield item.module.partition(".")[0]


@pytest.mark.parametrize(("place", "other"), [(PLATFORM, "dlws"), (ROOT / "dlws", "jobplatform")])
def test_neither_imports_the_other(place: Path, other: str) -> None:
    modules = list(place.rglob("*.py"))
    assert modules
    assert [str(path) for path in modules if other in imported(path)] == []


def test_files_are_short_and_packages_small() -> None:
    long = [str(path) for path in PLATFORM.rglob("*.py")
            if len(path.read_text().splitlines()) > 400]  # fmt: skip
    assert long == []
    packages = {path.parent for path in PLATFORM.rglob("*.py")}
    assert [str(one) for one in packages if len(list(one.glob("*.py"))) > 15] == []


def test_functions_are_short() -> None:
    long = []
    for path in PLATFORM.rglob("*.py"):
        for item in ast.walk(ast.parse(path.read_text())):
            if isinstance(item, ast.FunctionDef) and item.end_lineno:
                lines = item.end_lineno - item.lineno + 1
                if lines > 40:
                    long.append(f"{path.name}: {item.name} has {lines} lines")
    assert long == []


PROGRAMS = {"subprocess", "pty", "pickle", "marshal", "shelve", "yaml"}
CODE = {"system", "popen", "eval", "exec", "compile", "execv", "spawnv", "exec_driver_sql"}


SMI = PLATFORM / "exporter/nvidia.py"


def test_the_one_program_that_is_started_has_no_words_of_anybodys() -> None:
    calls = [one for one in ast.walk(ast.parse(SMI.read_text())) if isinstance(one, ast.Call)]
    (started,) = [one for one in calls if ast.unparse(one.func).startswith("subprocess.")]
    assert ast.unparse(started.args[0]) == "[path, '-q', '-x']"
    assert {one.arg for one in started.keywords} == {"stdin", "stdout", "stderr"}


def test_hole_22_nothing_writes_endpoints_of_jobs() -> None:
    """Two who rewrite that column would lose each other's: who builds endpoints needs rows."""
    found = {path.name for path in PLATFORM.rglob("*.py") if "endpoints" in path.read_text()}
    assert found == {"tables.py", "0001_legacy.py"}


def called(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls by the names above, as functions or as methods; those of `re` are others."""
    for item in ast.walk(tree):
        if isinstance(item, ast.Call):
            of = item.func
            name = of.id if isinstance(of, ast.Name) else getattr(of, "attr", "")
            owner = getattr(getattr(of, "value", None), "id", "")
            if name in CODE and owner != "re":
                yield item


def test_holes_2_3_4_and_6_nothing_starts_programs_or_makes_code_of_texts() -> None:
    """No shell, no program, no SQL and no YAML from parts: where SQL stands, it is a constant."""
    for path in PLATFORM.rglob("*.py"):
        assert path == SMI or not PROGRAMS & set(imported(path)), path
        for one in called(ast.parse(path.read_text())):
            name = getattr(one.func, "attr", "")
            fixed = all(isinstance(given, ast.Constant) for given in one.args)
            assert (name, fixed) == ("exec_driver_sql", True), (path, one.lineno)
