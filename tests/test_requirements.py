"""The pinned sets of packages follow pyproject.toml and name no server."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from tests.support import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PLATFORM = "templates/images/platform"
PLATFORMS: list[str] = tomllib.loads((ROOT / PLATFORM / "pyproject.toml").read_text())["project"][
    "dependencies"
]
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
DEV: list[str] = PROJECT["dependency-groups"]["dev"]


def pins(text: str) -> dict[str, str]:
    """What is pinned, by name, with the rest of its entry."""
    entries = text.replace("\\\n", " ").splitlines()
    return dict(re.split(r"(?===)", entry, maxsplit=1) for entry in entries if entry)


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        ("requirements.txt", RUNTIME),
        ("requirements-dev.txt", RUNTIME + DEV + PLATFORMS),
        (f"{PLATFORM}/requirements.txt", PLATFORMS),
    ],
)
def test_each_dependency_is_pinned_with_hashes(file: str, wanted: list[str]) -> None:
    pinned = pins((ROOT / file).read_text())
    names = {re.split(r"[^a-z0-9-]", dependency.lower())[0] for dependency in wanted}
    assert names - set(pinned) == set()
    assert [name for name, rest in pinned.items() if "--hash=sha256:" not in rest] == []
    assert "://" not in str(pinned)


@pytest.mark.parametrize("file", ["requirements.txt", f"{PLATFORM}/requirements.txt"])
def test_the_development_set_holds_what_runs(file: str) -> None:
    runtime, dev = (pins((ROOT / each).read_text()) for each in (file, "requirements-dev.txt"))
    assert {name: rest for name, rest in runtime.items() if dev.get(name) != rest} == {}
