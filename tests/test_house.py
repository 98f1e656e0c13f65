"""Rooms of the tests, and imports without circles. The storeys of dlws are import-linter's."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dlws.install.steps import platform_steps
from tests.support import LEFT_OUT, ROOT

ELSEWHERE = {"stories", "node_scripts", "benchmarks", "support", "platform", "image_programs"}
"""Folders of tests that mirror no package of dlws: stories use all of it, and so on."""


def modules(*places: str) -> dict[str, Path]:
    """Python files below some folders by their dotted names."""
    paths = [path for place in places for path in (ROOT / place).rglob("*.py")]
    return {dotted(path.relative_to(ROOT).with_suffix("").parts): path for path in paths}


def dotted(parts: tuple[str, ...]) -> str:
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(source: str, package: str) -> Iterator[tuple[str, str]]:
    """Module and name of all imports, those inside functions and for the type checker included."""
    for item in ast.walk(ast.parse(source)):
        if isinstance(item, ast.Import):
            yield from ((alias.name, "") for alias in item.names)
        elif isinstance(item, ast.ImportFrom):
            above = package.split(".")[: 1 - item.level or None] if item.level else []
            module = ".".join([*above, *([item.module] if item.module else [])])
            yield from ((module, alias.name) for alias in item.names)


def graph(found: Mapping[str, Path]) -> dict[str, set[str]]:
    """What each module imports of the others; `from package import module` is of the module."""
    edges = {}
    for name, path in found.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        pairs = imported(path.read_text(), package)
        wanted = {f"{module}.{leaf}" if f"{module}.{leaf}" in found else module
                  for module, leaf in pairs}  # fmt: skip
        edges[name] = wanted & set(found) - {name}
    return edges


def circles(edges: Mapping[str, set[str]]) -> set[str]:
    """The modules that are left when those that import nothing else are taken away again and again,
    and those that nothing imports."""
    left = set(edges)
    while True:
        ends = {name for name in left if not edges[name] & left}
        begins = left - {wanted for name in left for wanted in edges[name]}
        if not ends | begins:
            return left
        left -= ends | begins


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import a.b", [("a.b", "")]),
        ("def f():\n    from a import b, c", [("a", "b"), ("a", "c")]),
        ("if TYPE_CHECKING:\n    from a.b import c", [("a.b", "c")]),
        ("from . import b", [("p.q", "b")]),
        ("from .b import c", [("p.q.b", "c")]),
        ("from ..b import c", [("p.b", "c")]),
    ],
)
def test_imports_are_seen_wherever_they_stand(source: str, expected: list[object]) -> None:
    assert list(imported(source, "p.q")) == expected


def test_circles_are_seen_and_what_hangs_on_them_is_not_blamed() -> None:
    edges = {"above": {"a"}, "a": {"b"}, "b": {"c"}, "c": {"a", "below"}, "below": set[str]()}
    assert circles(edges) == {"a", "b", "c"}
    assert circles({**edges, "c": {"below"}}) == set()


@pytest.mark.parametrize("place", ["dlws", "tests", "benchmarks"])
def test_no_module_imports_itself_through_others(place: str) -> None:
    assert circles(graph(modules(place))) == set()


def test_tests_import_no_test_and_only_support_is_shared() -> None:
    found = modules("tests", "benchmarks")
    wrong = []
    for name, wanted in graph(found).items():
        about_benchmarks = name.startswith(("benchmarks", "tests.benchmarks"))
        for other in wanted:
            shared = other.startswith("tests.support") and ".test_" not in other
            if not shared and not (about_benchmarks and other.startswith("benchmarks")):
                wrong.append(f"{name} imports {other}")
    assert wrong == []


def test_each_test_module_is_named_after_a_module_of_dlws() -> None:
    """test_NAME.py in tests/PACKAGE is about dlws/PACKAGE/NAME.py; test_NAME_MORE.py is, too."""
    known = {tuple(name.split(".")[1:]) for name in modules("dlws")}
    strays = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        package, words = path.relative_to(ROOT / "tests").parts[:-1], path.stem.split("_")[1:]
        names = ["_".join(words[: end + 1]) for end in range(len(words))]
        named = any((*package, name) in known for name in names)
        if package and package[0] not in ELSEWHERE and not named:
            strays.append(str(path.relative_to(ROOT)))
    assert strays == []


PRODUCT = ("dlws", "templates/images/platform/jobplatform", "deploy.py", "az_tools.py")
FULL = {
    "dlws/cli": "one file for each group of commands",
    "dlws/verify/kinds": "one file for each kind of difference",
}
"""Packages of more than 15 files, each for a reason. A package's own __init__.py does not count."""


def sources() -> Iterator[Path]:
    for place in PRODUCT:
        path = ROOT / place
        yield from path.rglob("*.py") if path.is_dir() else [path]


def functions() -> Iterator[tuple[str, int, int]]:
    """Where each function stands, its lines, and its parameters but for self and cls."""
    for path in sources():
        for item in ast.walk(ast.parse(path.read_text())):
            if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                given, lines = item.args, (item.end_lineno or 0) - item.lineno + 1
                every = [*given.posonlyargs, *given.args, *given.kwonlyargs]
                every += filter(None, (given.vararg, given.kwarg))
                names = {one.arg for one in every} - {"self", "cls"}
                yield f"{path.relative_to(ROOT)}:{item.lineno} {item.name}", lines, len(names)


def test_functions_are_short_and_take_few_parameters() -> None:
    found = list(functions())
    lines = sorted(count for _, count, _ in found)
    assert lines[len(lines) // 2] <= 7 and lines[len(lines) * 9 // 10] <= 16
    assert [where for where, count, _ in found if count > 40] == []
    assert [where for where, _, parameters in found if parameters > 7] == []


def test_files_and_packages_are_small() -> None:
    assert [path for path in sources() if len(path.read_text().splitlines()) > 400] == []
    packages: dict[str, int] = {}
    for path in sources():
        if path.name != "__init__.py":
            name = str(path.parent.relative_to(ROOT))
            packages[name] = packages.get(name, 0) + 1
    assert {name for name, count in packages.items() if count > 15} == set(FULL)


@pytest.mark.parametrize(("picture", "as_shown"), [
    ("sandbox.svg", "&#160;{}<"), ("report.svg", "<title>step {}: "),
])  # fmt: skip
def test_the_pictures_of_the_readme_show_the_steps_of_today(picture: str, as_shown: str) -> None:
    """docs/record.py and docs/draw_report.py draw them anew from a sandbox installation."""
    drawn = (ROOT / "docs" / picture).read_text()
    steps = [step.name for step in platform_steps("sandbox")]
    assert [name for name in steps if as_shown.format(name) not in drawn] == []
    assert f"(docs/{picture})" in (ROOT / "README.md").read_text()


def test_the_fast_set_leaves_out_the_marks_that_let_a_test_start_something() -> None:
    chooses = (ROOT / "tests/run.sh").read_text().partition("\nchoose() {")[2].partition("\n}")[0]
    found = re.findall(r'marks\+?="([a-z ]+)"', chooses)
    assert len(found) == 2 and set(" ".join(found).split()) == LEFT_OUT
