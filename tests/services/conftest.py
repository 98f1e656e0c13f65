"""A cluster's directory without the services that come with dlws, and an API server in memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core import resources
from dlws.kubernetes import objects
from tests.support.fakes import Make
from tests.support.kubeobjects import FakeKube
from tests.support.sites import Site


@pytest.fixture
def site(tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch) -> Site:
    ours = tmp_path / "ours"
    ours.mkdir()
    kube = FakeKube()
    monkeypatch.setattr(resources, "templates", lambda: ours)
    monkeypatch.setattr(objects, "connect", kube.connect())
    return Site(tmp_path, make, kube)
