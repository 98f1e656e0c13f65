"""Where templates and scripts live: beside the package in a checkout, inside it when installed."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def root() -> Path:
    """The directory that holds templates/, scripts/ and config.yaml.example."""
    checkout = _PACKAGE.parent
    return checkout if (checkout / "templates").is_dir() else _PACKAGE / "data"


def templates() -> Path:
    return root() / "templates"


def scripts() -> Path:
    return root() / "scripts"
