"""Templates: values are quoted for where they go, and what cannot be rendered is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dlws.config import from_text
from dlws.core import resources, templates
from dlws.core.errors import DeployError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder in place of templates/."""
    monkeypatch.setattr(resources, "templates", lambda: tmp_path)
    templates._environment.cache_clear()
    yield tmp_path
    templates._environment.cache_clear()


def test_values_are_quoted_for_where_they_go(folder: Path) -> None:
    (folder / "t").write_text("{{ value | sh }} {{ value | json }} {{ value | yaml }}\n")
    assert templates.render("t", value="a'b: c") == "'a'\"'\"'b: c' \"a'b: c\" 'a''b: c'\n"


@pytest.mark.parametrize("value", [
    "plain", "", "a, b] c}", "[x] {y}: #z", "it's \"so\"", "two\nlines\n", "  a\n\n b: {c}\n",
    "\u2028\x85", "ü 🔑 \\n %", "yes", "1", None, True, 7, {"a": ["b, c", {"d": "e]\nf"}]}, [],
])  # fmt: skip
@pytest.mark.parametrize(
    "place", ["a: {}\n", "a: {{b: {}, c: d}}\n", "a:\n  - [x, {}]\n", "a:\n  b: {}\n"]
)
def test_values_are_the_same_wherever_they_stand_in_yaml(
    folder: Path, value: object, place: str
) -> None:
    text = place.format("<<").replace("<<", "{{ value | yaml }}")
    (folder / "t").write_text(text)
    templates._environment.cache_clear()
    expected = yaml.safe_load(place.format("null"))
    found = yaml.safe_load(templates.render("t", value=value))
    assert found == _filled(expected, value)


def _filled(tree: object, value: object) -> object:
    """The tree with a value in the place of null."""
    if isinstance(tree, dict):
        return {key: _filled(item, value) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_filled(item, value) for item in tree]
    return value if tree is None else tree


def test_what_two_folders_include_is_compiled_once(tmp_path: Path) -> None:
    (tmp_path / "shared").write_text("{{ 1 + 1 }}\n")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "t").write_text('{% include "shared" %}')
    before = len(templates._KEPT)
    for name in ("a", "b"):
        assert templates.render_in((tmp_path / name, tmp_path), "t", {}) == "2\n"
    assert len(templates._KEPT) == before + 3
    (tmp_path / "shared").write_text("{{ 2 + 2 }}\n")
    assert templates.render_in((tmp_path / "a", tmp_path), "t", {}) == "4\n"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"ok\n\n{{ config.nothing_such }}", "template t:3: "),
        (b"ok\n{{", "template t:2: "),
        (b"ok\n{{ 1 / 0 }}", "template t:2: ZeroDivisionError: division by zero"),
        (b"\xff", "template t: UnicodeDecodeError"),
    ],
)
def test_a_template_that_cannot_be_rendered_is_named(folder: Path, line: bytes, words: str) -> None:
    (folder / "t").write_bytes(line + b"\n")
    with pytest.raises(DeployError, match="template t") as caught:
        templates.render("t", config=object())
    assert words in caught.value.message


@pytest.mark.parametrize(
    "expression",
    [
        "cycler.__init__.__globals__.os.getcwd()",
        "''.__class__.__mro__",
        "config.parse_raw('cposix\\ngetcwd\\n(tR.', proto='pickle', allow_pickle=True)",
        "config['parse_file']('/etc/hostname')",
        "(config | attr('parse_file'))('/etc/hostname')",
    ],
)
def test_a_template_runs_nothing_on_this_machine(expression: str) -> None:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    for render in (
        lambda: templates.render_text(f"{{{{ {expression} }}}}", {"config": config}),
        lambda: templates.evaluate(expression, {"config": config}),
    ):
        with pytest.raises(DeployError, match="unsafe"):
            render()
    values = {"config": config}
    assert templates.render_text("{{ config.machines.i1.name }}", values) == "i1"
