"""Where templates and scripts live: beside the package in a checkout, inside it when installed.

A cluster's directory may have templates/ of its own, which lie over ours file by file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent
_LEFT_BEHIND = ("~", ".swp", ".pyc", ".DS_Store", ".gitkeep")
"""Endings of what editors and others leave in folders: no files of anybody's."""


def root() -> Path:
    """The directory that holds templates/, scripts/ and config.yaml.example."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "templates").is_dir() else _PACKAGE / "data"


def templates() -> Path:
    return root() / "templates"


@cache
def template(name: str) -> str:
    """The text of a template of ours, read once."""
    return (templates() / name).read_text()


def scripts() -> Path:
    return root() / "scripts"


def places(directory: Path) -> tuple[Path, ...]:
    """The folders with templates: the cluster's own, if it has any, then ours."""
    own, ours = (directory / "templates").resolve(), templates()
    return (own, ours) if own.is_dir() and own != ours.resolve() else (ours,)


def folders(kind: str, directory: Path) -> dict[str, tuple[Path, ...]]:
    """The folders templates/KIND/NAME by name, sorted, each with the places where it lies."""
    found: dict[str, tuple[Path, ...]] = {}
    for place in places(directory):
        for folder in (place / kind).glob("[!._]*"):
            if folder.is_dir():
                found[folder.name] = (*found.get(folder.name, ()), folder)
    return dict(sorted(found.items()))


def files(layers: Sequence[Path]) -> dict[str, Path]:
    """Files of folders that lie over each other, by their path in them: the first one counts."""
    return {name: path for layer in reversed(layers) for name, path in _files(layer)}


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    # rglob takes twice as long, and whole commands look at each folder again and again.
    skip = len(str(folder)) + 1
    names = [
        os.path.join(place, name)[skip:]
        for place, _, there in os.walk(folder)
        for name in there
        if not name.endswith(_LEFT_BEHIND)
    ]
    for name in sorted(names, key=lambda name: name.split("/")):
        yield name, folder / name
