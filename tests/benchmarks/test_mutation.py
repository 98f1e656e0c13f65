"""The mutation benchmark: what it changes, and that this stays where it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks import mutation
from benchmarks.shell_mutants import mutants
from tests.support import ROOT
from tests.support.private import possible

SOURCE = '''"""A module; its text is no script: $x."""
_SCRIPT = f"""set -e
# a comment; $x
[ -e "$1" ] && rm -f "$1"; exit {3}"""
_PROSE = "look there; then go on"
'''


def test_each_module_that_is_mutated_has_tests_of_its_name() -> None:
    for module, tests in mutation.TESTS.items():
        assert (ROOT / f"dlws/{module}.py").exists()
        package, _, name = module.rpartition("/")
        assert f"tests/{package}/test_{name}.py" in tests
        assert all((ROOT / path).exists() for path in tests)


def test_scripts_are_changed_and_stay_scripts() -> None:
    found = [(mutant.line, mutant.change) for mutant in mutants(SOURCE)]
    whole = '[ -e "$1" ] && rm -f "$1"; exit {3}"""'
    assert (4, f"_SCRIPT: && -> || in {whole}") in found
    assert (4, f'_SCRIPT: rm -f "$1" -> : in {whole}') in found
    assert (2, '_SCRIPT: set -e -> : in _SCRIPT = f"""set -e') in found
    assert {line for line, _ in found} == {2, 4}
    assert all(mutant.source != SOURCE for mutant in mutants(SOURCE))


def test_a_function_is_decorated_behind_itself_and_stays_on_its_line() -> None:
    source = "class A:\n    @property\n    def b(self) -> int:\n        return 1\n\nx = 2\n"
    made = mutation.undecorated(source)
    assert made.splitlines()[1:4] == [
        "    def b(self) -> int:",
        "        return 1",
        "    b = property(b)",
    ]
    values: dict[str, type] = {}
    exec(made, values)
    assert values["A"]().b == 1


@pytest.mark.skipif(not possible(), reason="takes root")
@pytest.mark.parametrize("place", ["", "/tmp", "/dev", "/run", "/var/tmp", "/var/lib/dlws"])
def test_a_mutant_can_remove_nothing_outside(tmp_path: Path, place: str) -> None:
    Path("/var/lib/dlws").mkdir(exist_ok=True)
    (tmp_path / "inside").mkdir()
    outside = Path(place or tmp_path) / f"{tmp_path.name}-outside"
    outside.touch()
    try:
        line = [*mutation._ALONE, "sh", "-c", f"echo >here; rm -f {outside}; echo >{outside}"]
        subprocess.run(line, cwd=tmp_path / "inside", capture_output=True, check=False)
        assert (tmp_path / "inside/here").exists(), "it did not run at all"
        assert outside.read_text() == ""
    finally:
        outside.unlink()
