"""Templates: values are quoted for where they go, and what cannot be rendered is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
