"""What a node sends as an image is that image, or is not loaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlws.core.errors import DeployError
from dlws.images import archive
from tests.support.images import packed, saved

NAME = "r:5000/web:1-arm64"
MANIFEST = ("manifest.json", json.dumps([{"RepoTags": [NAME]}]).encode())


def named(name: str) -> bytes:
    return json.dumps({"manifests": [{"annotations": {"io.containerd.image.name": name}}]}).encode()


def check(tmp_path: Path, content: bytes, reference: str = NAME) -> None:
    (tmp_path / "image.tar").write_bytes(content)
    archive.check(tmp_path / "image.tar", reference, "w1")


@pytest.mark.parametrize(
    ("content", "reference"),
    [
        (saved(NAME), NAME),
        (saved("web:1"), "docker.io/library/web:1"),
        (packed([MANIFEST, ("index.json", named(NAME))]), NAME),
        (packed([MANIFEST, ("repositories", b'{"r:5000/web": {"1-arm64": "x"}}')]), NAME),
    ],
)
def test_the_image_that_was_asked_for_is_let_in(
    tmp_path: Path, content: bytes, reference: str
) -> None:
    check(tmp_path, content, reference)
    with pytest.raises(DeployError):  # and no other
        check(tmp_path, content, "r:5000/another:1")


@pytest.mark.parametrize(
    "content",
    [
        saved(NAME, "r:5000/other:1"),
        saved("debian:12"),
        saved(),
        packed([MANIFEST, ("index.json", named("docker.io/library/debian:12"))]),
        packed([MANIFEST, ("repositories", b'{"debian": {"12": "x"}}')]),
        packed([MANIFEST, ("./x/../manifest.json", b"[]")]),
        packed([("manifest.json", b"[{}, {}]")]),
        packed([("manifest.json", b"[" * 100_000)]),
        packed([("manifest.json", b"5")]),
        b"no tar",
    ],
)
def test_an_image_of_another_name_is_not_loaded(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DeployError, match="w1 was asked for the image r:5000/web:1-arm64"):
        check(tmp_path, content)
