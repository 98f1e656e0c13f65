"""A small bundle on disk, and a node that is a directory."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.bundle import delivery
from dlws.bundle.build import Workspace
from dlws.runs.console import Console
from tests.support.bundles import CONTENT, write_bundle
from tests.support.https import plain, site

__all__ = ["plain", "site"]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return write_bundle(tmp_path / "a bundle", CONTENT)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the fake node's bundle lies."""
    path = tmp_path / "node's place"
    monkeypatch.setattr(delivery, "PLACE", str(path))
    return path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path / "cache", Console())
    workspace.cache.mkdir()
    return workspace
