"""Templates: values are quoted for the language around them, and a missing name is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.core.templates import render, render_file

AWKWARD = ["a b", "$(x)", "it's", '"', "\\", "ü", "a: b", "- x", "no", "1.20", "#", ""]


def rendered(place: Path, text: str, **values: object) -> str:
    (place / "t").write_text(text)
    return render_file(place / "t", **values)


@pytest.mark.parametrize(("text", "made"), [
    ("{{ x }}\n", "1\n"),
    ("{% if x %}\nyes\n{% endif %}\n", "yes\n"),
    ("  {% if x %}\n  yes\n  {% endif %}\nend", "  yes\nend"),
    ("{{ 'a b' | sh }}", "'a b'"),
    ("{{ 'ü' | json }}", '"ü"'),
    ("{{ 'no' | yaml }}", "'no'"),
    ("{{ [1, 'a'] | yaml }}", "[1, a]"),
])  # fmt: skip
def test_render_file(tmp_path: Path, text: str, made: str) -> None:
    assert rendered(tmp_path, text, x=1) == made


@pytest.mark.parametrize("value", AWKWARD)
def test_values_come_back_from_each_language(tmp_path: Path, value: str) -> None:
    line = rendered(tmp_path, "printf %s {{ x | sh }}", x=value)
    assert Local().run(line).out.decode() == value
    assert json.loads(rendered(tmp_path, "[{{ x | json }}]", x=value)) == [value]
    assert yaml.safe_load(rendered(tmp_path, "k: {{ x | yaml }}", x=value)) == {"k": value}


@pytest.mark.parametrize(("text", "message"), [
    ("{{ y }}", "'y' is undefined"),
    ("{{ x.y }}", "has no attribute 'y'"),
    ("\n{{ x", ":2: unexpected end"),
    ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
])  # fmt: skip
def test_a_template_that_cannot_be_rendered_is_named(
    tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DeployError, match=rf"^template {tmp_path}/t.*{message}"):
        rendered(tmp_path, text, x=1)


def test_render_reads_the_templates_that_come_with_dlws() -> None:
    with pytest.raises(DeployError, match=r"^template nowhere\.yaml: "):
        render("nowhere.yaml")
