"""Which images services need, and what is said of those that nobody here brings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlws.core.errors import DeployError
from dlws.images import listing
from dlws.images.engine import Engine
from dlws.services.listing import images
from tests.support.examples import cluster_of, filled_in
from tests.support.fakes import CONFIG
from tests.support.sites import MAP, Site

POD = """
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec: {containers: [{name: a, image: {{ image("NAME") | yaml }}}]}
"""
REGISTRY = (
    "dockerregistry: r.example/\ndockertag: '1'\ndockers: {container: {given: r.example/g:2}}\n"
)
MINE, OTHER = "r.example/atlas_mine:1", "r.example/atlas_other:1"


@pytest.fixture
def pushed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The references that the registry has; of those with `silent` in them it does not say."""
    there: set[str] = set()

    def remote(engine: Engine, reference: str) -> set[str]:
        if "silent" in reference:
            raise DeployError("it does not answer")
        return {"sha256:1"} & ({"sha256:1"} if reference in there else set())

    monkeypatch.setattr(listing, "_runs", lambda engine: True)
    monkeypatch.setattr(Engine, "remote", remote)
    return there


def shop(site: Site, *names: str) -> None:
    files = {f"{name}__yaml__j2": POD.replace("NAME", name) for name in names}
    site.write("shop", service__yaml="images: {theirs: silent.example/t:3}", **files)
    place = site.directory / "templates/images/mine/Dockerfile"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("FROM scratch\n")


def shown(
    site: Site, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[dict[str, dict[str, object]], str]:
    capsys.readouterr()
    images(site.make(f"{CONFIG}{REGISTRY}").cluster, words, "json", listing.pushed)
    told = capsys.readouterr()
    return {row["image"]: row for row in json.loads(told.out)}, told.err


def test_where_each_image_is_had_from(
    site: Site, pushed: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shop(site, "mine", "theirs", "given", "other")
    site.write("more", a__yaml__j2=POD.replace("NAME", "other"))
    site.write("elsewhere", a__yaml=MAP, service__yaml="architectures: [arm64]")
    rows, told = shown(site, capsys)
    assert {name: (row["from"], row["pushed"], row["reference"]) for name, row in rows.items()} == {
        "mine": ("docker push", "no", MINE), "other": ("nowhere", "no", OTHER),
        "theirs": ("service.yaml", "unknown", "silent.example/t:3"),
        "given": ("config.yaml", "no", "r.example/g:2"),
    }  # fmt: skip
    assert rows["other"]["services"] == ["more", "shop"]
    assert "nothing here brings other: name a directory with its context (docker_sources)" in told
    assert told.rstrip().endswith("docker push mine")


def test_what_the_registry_has_is_not_missing(
    site: Site, pushed: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shop(site, "mine", "other")
    pushed |= {MINE, OTHER}
    rows, told = shown(site, capsys, "shop")
    assert [row["pushed"] for row in rows.values()] == ["yes", "yes"] and told == ""


def test_a_service_that_cannot_be_made_is_told_and_hides_no_other(
    site: Site, pushed: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    shop(site, "mine")
    site.write("broken", a__yaml__j2='{{ need("", "mysql_password") }}')
    rows, told = shown(site, capsys)
    assert list(rows) == ["mine"]
    assert "broken: " in told and "mysql_password is not set" in told


def test_of_ours_these_need_an_image_from_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(listing, "_runs", lambda engine: False)
    images(cluster_of(tmp_path, filled_in()), (), "text", listing.pushed)
    told = capsys.readouterr()
    missing = "gpu-reporter, openresty, reaper, repairmanager2"
    assert f"nothing here brings {missing}: " in told.err
    (line,) = [line for line in told.out.splitlines() if line.startswith("platform ")]
    assert line.split()[1:-1] == [
        "jobmanager2", "monitor", "restfulapi2", "user-synchronizer", "webui3",
        "docker", "push", "unknown",
    ]  # fmt: skip
