"""Which changes of a module its quick tests notice: python -m benchmarks.mutation MODULE..."""

from __future__ import annotations

import argparse
import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import Queue
from typing import Any

from benchmarks import measure, shell_mutants
from benchmarks.measure import BENCH_VENV, PYTHON, ROOT

TOOL = "mutmut==3.8.1"
_MORE = {
    "core/connection": [],
    "install/pending": [],
    "nodes/nodelock": [],
    "nodes/resume": [],
    "runs/appendlog": ["tests/runs/test_journal.py"],
    "runs/gate": ["tests/runs/test_plan.py", "tests/install/test_pending.py"],
    "runs/history": ["tests/nodes/test_resume.py", "tests/runs/test_journal.py"],
    "runs/journal": [],
    "runs/lock": [],
    "runs/plan": ["tests/runs/test_gate.py"],
    "runs/records": [],
    "shell/files": ["tests/runs/test_plan.py", "tests/runs/test_gate.py"],
    "shell/recorder": [],
}
"""The modules that are mutated, and tests of each beside those that are named after it."""


def _tests_named(module: str) -> list[str]:
    """The tests that are named after a module: test_NAME.py, test_NAME_MORE.py."""
    package, _, name = module.rpartition("/")
    places = (ROOT / "tests" / package).glob(f"test_{name}*.py")
    return sorted(str(path.relative_to(ROOT)) for path in places)


TESTS = {module: [*_tests_named(module), *more] for module, more in _MORE.items()}
"""The tests of each module that take seconds."""
AT_ONCE = 4
RESULTS = ROOT / "build/mutation.json"
EXPLAINED = ROOT / "benchmarks/survivors.json"
"""Why a survivor may stay: a reason, and the changes that it is the reason for."""

KILLED, TIMED_OUT, SURVIVED, UNREACHED = {1, 3}, {-24, -9, 24, 36, 152, 255}, {0}, {5, 33}

# mutmut comes from an environment of its own, but behind the project's: its pins come first.
_TOOL = f"""import json, sys
sys.path.append({str(BENCH_VENV)!r} + "/lib/python%d.%d/site-packages" % sys.version_info[:2])
"""
_RUN = _TOOL + "from mutmut.__main__ import cli; cli()"
_SHOW = _TOOL + (
    "from mutmut.mutation.diff_apply import get_diff_for_mutant as diff\n"
    "print(json.dumps([diff(name, path=sys.argv[1]) for name in sys.argv[2:]]))"
)


@dataclass(frozen=True)
class Survivor:
    """A change that no test noticed: `change` is `function: old -> new`."""

    path: str
    line: int
    change: str

    def text(self) -> str:
        return f"{self.path}:{self.line} {self.change}"


@dataclass(frozen=True)
class Score:
    """What became of the mutants of a module."""

    path: str
    mutants: int
    killed: int
    hung: list[Survivor]
    """Those of the killed that ran into the time limit: a loop or a wait without end."""
    survivors: list[Survivor]
    seconds: float

    @classmethod
    def of(cls, row: dict[str, Any]) -> Score:
        hung, left = ([Survivor(**one) for one in row.pop(key)] for key in ("hung", "survivors"))
        return cls(**row, hung=hung, survivors=left)


# A mutant may wait for ever, or remove what is not its own: it gets processes and places that end
# with it, and of the rest of the machine it can write nothing.
_INSIDE = """mkdir -p /var/lib/dlws tmp && mount --bind . . && mount -o remount,ro,bind / || exit 1
mount -o remount,ro,bind /dev || exit 1
for place in /run /var/tmp /var/lib/dlws; do mount -t tmpfs none "$place" || exit 1; done
cd "$PWD"; export TMPDIR="$PWD/tmp" PYTHONDONTWRITEBYTECODE=1; "$@"; exit"""
_ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", _INSIDE, "sh"]


def score(module: str, place: Path, source: str) -> Score:
    """Mutate the functions of a module in a copy of the tree, and run its tests for each mutant."""
    path, began = f"dlws/{module}.py", time.monotonic()
    (place / path).write_text(undecorated(source))
    (place / "setup.cfg").write_text(_settings(path, TESTS[module]))
    line = [*_ALONE, PYTHON, "-c", _RUN, "run", "--max-children", "2"]
    done = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{path}: status {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    found = json.loads((place / f"mutants/{path}.meta").read_text())["exit_code_by_key"]
    undecided = [n for n, c in found.items() if c not in KILLED | TIMED_OUT | SURVIVED | UNREACHED]
    if undecided:
        sys.exit(f"{path}: undecided: {undecided}\n{done.stdout[-3000:]}")
    left, hung = (
        _named(place, path, source, [name for name, code in found.items() if code in codes])
        for codes in (SURVIVED | UNREACHED, TIMED_OUT)
    )
    took = time.monotonic() - began
    return Score(path, len(found), len(found) - len(left), hung, left, took)


def score_of_scripts(module: str, place: Path, source: str) -> Score | None:
    """The same for the shell scripts in a module's constants; None where there are none."""
    path, began = f"dlws/{module}.py", time.monotonic()
    mutants = list(shell_mutants.mutants(source))
    if not mutants:
        return None
    (place / path).write_text(source)
    started = time.monotonic()
    if _tests(module, place, None) != "survived":
        sys.exit(f"{path}: its tests fail as it stands")
    limit = 2 * (time.monotonic() - started) + 5
    outcomes = _outcomes(module, place, [mutant.source for mutant in mutants], limit)
    ends: dict[str, list[Survivor]] = {"survived": [], "killed": [], "hung": []}
    for mutant, end in zip(mutants, outcomes, strict=True):
        ends[end].append(Survivor(path, mutant.line, mutant.change))
    left, took = ends["survived"], time.monotonic() - began
    name = f"{path}, scripts"
    return Score(name, len(mutants), len(mutants) - len(left), ends["hung"], left, took)


def _outcomes(module: str, place: Path, sources: Sequence[str], limit: float) -> list[str]:
    """How the module's tests end with each of these sources in its place."""
    places: Queue[Path] = Queue()  # a tree each: most of the time goes by in waiting
    for number in range(AT_ONCE):
        places.put(shutil.copytree(place, place / f"copy{number}", ignore=_no_copies))

    def outcome(source: str) -> str:
        mine = places.get()
        (mine / f"dlws/{module}.py").write_text(source)
        try:
            return _tests(module, mine, limit)
        finally:
            places.put(mine)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(outcome, sources))


def _no_copies(place: str, names: list[str]) -> list[str]:
    return [name for name in names if name.startswith("copy") or name in ("mutants", "tmp")]


def _tests(module: str, place: Path, limit: float | None) -> str:
    line = [*_ALONE, PYTHON, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *TESTS[module]]
    try:
        done = subprocess.run(line, cwd=place, capture_output=True, check=False, timeout=limit)
    except subprocess.TimeoutExpired:
        return "hung"
    return "killed" if done.returncode else "survived"


def _copy(place: Path) -> None:
    """The tree as it stands, committed or not: nothing that is mutated is anyone's own."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, place / name)


def _settings(path: str, tests: Sequence[str]) -> str:
    settings = {
        "source_paths": "dlws",
        "only_mutate": path,
        "also_copy": "deploy.py\ntemplates\nscripts\nconfig.yaml.example\nbenchmarks",
        "pytest_add_cli_args": "-p\nno:cacheprovider",
        "pytest_add_cli_args_test_selection": "\n".join(tests),
        # The limit for a mutant, in seconds: what its tests took, and 3, twice over.
        "timeout_constant": "3",
        "timeout_multiplier": "2",
        "use_git_change_detection": "false",
    }
    rows = [f"{key} = " + value.replace("\n", "\n    ") for key, value in settings.items()]
    return "\n".join(["[mutmut]", *rows, ""])


def undecorated(source: str) -> str:
    """The same module, with its functions decorated behind them: mutmut leaves others out."""
    lines = source.splitlines()
    found = [f for f in ast.walk(ast.parse(source)) if isinstance(f, ast.FunctionDef)]
    for function in sorted(found, key=lambda f: f.lineno, reverse=True):
        if not function.decorator_list:
            continue
        value = function.name
        for decorator in reversed(function.decorator_list):
            value = f"{ast.unparse(decorator)}({value})"
        assert function.end_lineno
        indent = " " * function.col_offset
        lines.insert(function.end_lineno, f"{indent}{function.name} = {value}")
        del lines[function.decorator_list[0].lineno - 1 : function.lineno - 1]
    return "\n".join(lines) + "\n"


def _named(place: Path, path: str, source: str, names: Sequence[str]) -> list[Survivor]:
    show = [PYTHON, "-c", _SHOW, path, *names]
    shown = subprocess.run(show, cwd=place, stdout=subprocess.PIPE, check=True, text=True).stdout
    starts = dict(_functions(source))
    found = []
    for name, diff in zip(names, json.loads(shown), strict=True):
        # dlws.plan.x_digest__mutmut_3, or dlws.plan.xǁPlanǁdump__mutmut_1
        words = name.rpartition(".")[2].partition("__mutmut_")[0]
        function = words[1:].strip("ǁ").replace("ǁ", ".") if "ǁ" in words else words[2:]
        line, change = _change(diff)
        found.append(Survivor(path, starts[function] + line, f"{function}: {change}"))
    return found


def _functions(source: str) -> Iterator[tuple[str, int]]:
    """Functions and methods with the line that their `def` is in."""
    for item in ast.parse(source).body:
        if isinstance(item, ast.FunctionDef):
            yield item.name, item.lineno
        if isinstance(item, ast.ClassDef):
            methods = (m for m in item.body if isinstance(m, ast.FunctionDef))
            yield from ((f"{item.name}.{method.name}", method.lineno) for method in methods)


def _change(diff: str) -> tuple[int, str]:
    """Where in its function the first change of a diff is, and the old and new words."""
    lines = diff.splitlines()[2:]
    start = int(lines[0].split()[1].split(",")[0][1:])
    first = next(n for n, line in enumerate(lines[1:]) if line[0] in "-+")
    old, new = (
        " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"
    )
    return start + first - 1, f"{old} -> {new}"


def explained() -> dict[str, str]:
    """The reason for each survivor that has one."""
    reasons = json.loads(EXPLAINED.read_text()) if EXPLAINED.exists() else {}
    return {change: why for why, changes in reasons.items() for change in changes}


def report(scores: Sequence[Score], reasons: Mapping[str, str]) -> str:
    lines = ["| module | mutants | killed | of them by time limit | survived | explained | score |"]
    lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
    for one in scores:
        known = sum(f"{s.path} {s.change}" in reasons for s in one.survivors)
        lines.append(
            f"| `{one.path}` | {one.mutants} | {one.killed} | {len(one.hung)} "
            f"| {len(one.survivors)} | {known} | {one.killed / one.mutants:.1%} |"
        )
    minutes = sum(one.seconds for one in scores) / 60
    lines += ["", f"Taken in {minutes:.0f} minutes on {measure.machine()}.", ""]
    grouped: dict[str, list[Survivor]] = {}
    for survivor in (s for one in scores for s in one.survivors):
        why = reasons.get(f"{survivor.path} {survivor.change}", "NOT EXPLAINED")
        grouped.setdefault(why, []).append(survivor)
    for why, survivors in sorted(grouped.items()):
        lines += [f"{why}:", "", *(f"- `{s.text()}`" for s in survivors), ""]
    return "\n".join(lines)


def keep(scores: Iterable[Score]) -> list[Score]:
    """Put these scores beside those of modules that were taken before; all of them, in order."""
    found = {path: Score.of(row) for path, row in _rows().items()}
    found |= {one.path: one for one in scores}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({path: asdict(one) for path, one in found.items()}, indent=1))
    return [found[path] for path in sorted(found)]


def _rows() -> dict[str, Any]:
    return dict(json.loads(RESULTS.read_text())) if RESULTS.exists() else {}


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(TESTS)}")
    parser.add_argument(
        "--docs", action="store_true", help="write docs/benchmarks.md, with modules taken before"
    )
    options = parser.parse_args()
    if unknown := set(options.modules) - set(TESTS):
        parser.error(f"no tests are named for {', '.join(unknown)}")
    if os.geteuid() != 0:
        parser.error("this takes root: mutants are kept from the rest of the machine")
    measure.install(TOOL)
    for module in options.modules or TESTS:
        place = Path(tempfile.mkdtemp(prefix="dlws-mutants-"))
        try:
            _copy(place)
            source = (place / f"dlws/{module}.py").read_text()
            given = (module, place, source)
            found = [one for one in (score(*given), score_of_scripts(*given)) if one]
        finally:
            shutil.rmtree(place)
        keep(found)
        print(*(f"hung: {s.text()}" for one in found for s in one.hung), sep="\n")
        print(report(found, explained()), flush=True)
    if options.docs:
        measure.section("mutation", report(keep([]), explained()))


if __name__ == "__main__":
    main()
