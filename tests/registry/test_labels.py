"""What images in a registry were built from, read from its files."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from dlws.core.connection import Result
from dlws.core.resources import template
from dlws.registry.labels import labels
from tests.support.registries import Start

PLACE = "10.1.0.1:5443"


class Store:
    """The directory of a registry."""

    def __init__(self, place: Path) -> None:
        self.place, self.root = place, place / "main/docker/registry/v2"

    def blob(self, value: object) -> str:
        data = json.dumps(value, indent=3).encode()
        found = hashlib.sha256(data).hexdigest()
        path = self.root / "blobs/sha256" / found[:2] / found / "data"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return f"sha256:{found}"

    def tag(self, repository: str, tag: str, manifest: object) -> None:
        link = self.root / "repositories" / repository / "_manifests/tags" / tag / "current/link"
        link.parent.mkdir(parents=True)
        link.write_text(self.blob(manifest))

    def image(self, repository: str, tag: str, **of: str) -> None:
        config = self.blob({"config": {"Labels": of}, "container_config": {"Labels": of}})
        layers = [{"digest": self.blob("a layer")}]
        manifest = {"config": {"size": 7, "digest": config}, "layers": layers}
        self.tag(repository, tag, manifest)

    def said(self, *images: str) -> str:
        line = ["sh", "-c", template("registry/labels.sh"), "sh", str(self.place), *images]
        return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def test_the_label_of_each_image_that_is_there(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.image("atlas_web", "1", **{"dlws.context": "ab12", "other": "x"})
    store.image("deep/er/web", "2.0-arm64", **{"dlws.context": "cd34"})
    store.image("atlas_bare", "1")
    store.tag("atlas_list", "1", {"manifests": [{"digest": store.blob("{}")}]})
    names = ["atlas_web:1", "deep/er/web:2.0-arm64", "atlas_bare:1", "atlas_list:1"]
    said = store.said("atlas_web:2", *names, "no:1").splitlines()
    assert said == [f"{names[0]}\tab12", f"{names[1]}\tcd34", f"{names[2]}\t", f"{names[3]}\t"]


def test_an_image_by_its_digest(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.image("deep/er/web", "1", **{"dlws.context": "ab12"})
    manifests = store.root / "repositories/deep/er/web/_manifests"
    digest = (manifests / "tags/1/current/link").read_text()
    link = manifests / "revisions" / digest.replace(":", "/") / "link"
    link.parent.mkdir(parents=True)
    link.write_text(digest)
    name = f"deep/er/web@{digest}"
    assert store.said(name, f"deep/er/web@sha256:{'0' * 64}") == f"{name}\tab12\n"


def test_without_any_image_nothing_is_said(tmp_path: Path) -> None:
    assert Store(tmp_path).said("atlas_web:1") == ""


def test_labels_are_by_the_images_whole_names(started: Start) -> None:
    world = started()
    said = Result(0, b"atlas_web:1\tab12\natlas_list:1\t\n")
    world.fakes["infra01"].rules = [lambda command, stdin: said]
    wanted = [f"{PLACE}/atlas_web:1", f"{PLACE}/atlas_list:1", "docker.io/library/nginx:1"]
    assert labels(world.cluster, wanted) == {
        f"{PLACE}/atlas_web:1": "ab12",
        f"{PLACE}/atlas_list:1": "",
    }
    (command,) = world.commands("infra01")
    assert "atlas_web:1" in command and "library/nginx" not in command
