"""The images that there are."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlws.core.errors import DeployError
from dlws.images import listing
from dlws.images.engine import Engine
from dlws.runs.options import Options
from dlws.session import Session

CONFIG = """cluster_name: atlas
dockerregistry: r.example:5000/
dockertag: '1'
machines: {m: {role: infra, private-ip: 10.1.0.1}}
"""


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    (tmp_path / "config.yaml").write_text(CONFIG)
    folder = tmp_path / "templates/images/toy"
    folder.mkdir(parents=True)
    (folder / "Dockerfile").write_text("FROM scratch\n")
    monkeypatch.setattr(listing, "_runs", lambda engine: False)
    return Session(Options(directory=tmp_path))


def test_without_an_engine_the_names_are_still_known(session: Session, tmp_path: Path) -> None:
    assert listing.shown(session.cluster, ["toy"], None, "text").splitlines() == [
        "name  reference                   built    pushed   context",
        f"toy   r.example:5000/atlas_toy:1  unknown  unknown  {tmp_path}/templates/images/toy",
    ]


def test_for_programs_and_another_architecture(session: Session, tmp_path: Path) -> None:
    (row,) = json.loads(listing.shown(session.cluster, ["toy"], "arm64", "json"))
    assert row == {
        "name": "toy", "architecture": "arm64", "reference": "r.example:5000/atlas_toy:1-arm64",
        "context": f"{tmp_path}/templates/images/toy", "built": "unknown", "pushed": "unknown",
    }  # fmt: skip


def test_every_context_of_ours_can_be_rendered(session: Session) -> None:
    rows = {row["name"]: row["reference"] for row in listing.listed(session.cluster, [], None)}
    assert rows["mariadb"] == "r.example:5000/atlas_mariadb:1" and "base" in rows


def test_a_registry_that_says_nothing_is_unknown() -> None:
    class Silent(Engine):
        def remote(self, reference: str) -> set[str]:
            raise DeployError("it does not say")

    class Has(Engine):
        def remote(self, reference: str) -> set[str]:
            return {"sha256:1"}

    assert listing._pushed(Silent(), "r/web:1", "sha256:1") == "unknown"
    found = [listing._pushed(Has(), "r/web:1", ours) for ours in ("sha256:1", "sha256:2", "")]
    assert found == ["yes", "outdated", "yes"]
