"""What gc.sh says, and what it does to a registry's directory: what tags lead to stays."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.core.resources import template
from dlws.registry.gc import Garbage, parsed
from dlws.shell.quoting import sh


class Disk:
    """A directory as a registry keeps it."""

    def __init__(self, place: Path) -> None:
        self.place, self.root = place, place / "docker/registry/v2"

    def blob(self, content: bytes) -> str:
        digest = hashlib.sha256(content).hexdigest()
        path = self.root / f"blobs/sha256/{digest[:2]}/{digest}/data"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return f"sha256:{digest}"

    def manifest(self, repository: str, *parts: str, tag: str = "") -> str:
        digest = self.blob(json.dumps({"parts": parts}).encode())
        manifests = self.root / f"repositories/{repository}/_manifests"
        links = [manifests / f"revisions/sha256/{digest[7:]}/link"]
        links += [manifests / f"tags/{tag}/current/link"] if tag else []
        for link in links:
            link.parent.mkdir(parents=True, exist_ok=True)
            link.write_text(digest)
        return digest

    def upload(self, repository: str) -> Path:
        path = self.root / f"repositories/{repository}/_uploads/a-b-c/startedat"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("now")
        return path

    def found(self) -> Garbage:
        line = sh("bash", "-c", template("registry/gc.sh"), "dlws", "check", self.place)
        result = Local().run(line)
        assert result.ok, result.complaint
        return parsed(result.text)


@pytest.fixture
def disk(tmp_path: Path) -> Disk:
    return Disk(tmp_path)


def test_a_registry_that_has_nothing(disk: Disk) -> None:
    assert disk.found() == Garbage() and not disk.found().lines


def test_what_a_tag_leads_to_stays_through_lists_of_lists(disk: Disk) -> None:
    layer = disk.blob(b"layer")
    parts = [disk.manifest("team/app", layer, disk.blob(text)) for text in (b"amd64", b"arm64")]
    inner = disk.manifest("team/app", *parts)
    disk.manifest("team/app", inner, tag="1")
    assert disk.found() == Garbage()


def test_what_no_tag_leads_to_goes(disk: Disk) -> None:
    layer = disk.blob(b"shared")
    disk.manifest("a", layer, tag="1")
    old = disk.manifest("a", layer, disk.blob(b"old"))
    disk.blob(b"of nobody")
    found = disk.found()
    assert found.manifests == (f"a@{old}",) and found.blobs == 3
    whole = json.dumps({"parts": [layer, layer]})  # of the same length as the old manifest
    assert found.size == len(whole) + len(b"old") + len(b"of nobody")
    assert found.lines[0] == f"manifest a@{old}: no tag leads to it"


def test_an_upload_counts_for_an_hour(disk: Disk) -> None:
    disk.manifest("a", tag="1")
    path = disk.upload("team/b")
    assert disk.found().uploads == ("team/b",)
    assert Local().run(sh("touch", "-d", "2 hours ago", path)).ok
    assert disk.found().uploads == ()


@pytest.mark.parametrize("number", ["many", "9" * 5000, "\u0661"])
def test_an_answer_that_is_none(number: str) -> None:
    with pytest.raises(DeployError, match="makes no sense"):
        parsed(f"blobs 1 {number}\n")
