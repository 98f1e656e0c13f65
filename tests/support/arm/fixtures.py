"""Fixtures: a cluster's directory, and a local Azure that its configuration names."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.arm.cluster import Site
from tests.support.arm.configs import KEY, PLAIN
from tests.support.arm.server import Local, serving


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    with serving(tmp_path_factory.mktemp("arm")) as found:
        yield found


@pytest.fixture
def site(local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A cluster that is to be on the local Azure, on which there is nothing yet."""
    local.renew()
    for name, value in local.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "argv", ["az_tools.py"])
    monkeypatch.setenv("AZURE_CONFIG_DIR", str(tmp_path / "nothing"))
    key = tmp_path / "deploy/sshkey/id_ed25519.pub"
    key.parent.mkdir(parents=True)
    key.write_text(f"{KEY}\n")
    found = Site(tmp_path, local)
    found.configure(PLAIN)
    return found
