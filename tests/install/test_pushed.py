"""Which images registries have, where no Docker engine is there to ask them."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError
from dlws.images import listing
from dlws.install.pushed import pushed
from tests.support import dockers
from tests.support.fakes import Make, World
from tests.support.registries import CONFIG

PLACE = "10.1.0.1:5443"
IMAGE = f"{PLACE}/atlas_web:1"
_KIND = "application/vnd.docker.distribution.manifest.v2+json"


@pytest.fixture(autouse=True)
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "_runs", lambda engine: False)


def _send(registry: str, method: str, url: str, data: bytes = b"", kind: str = "x/y") -> str:
    """One request to a registry; where it says that what was sent is to be found."""
    login = base64.b64encode(f"{dockers.USER}:{dockers.PASSWORD}".encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": kind}
    whole = url if url.startswith("http") else f"http://{registry}/v2/atlas_web/{url}"
    request = urllib.request.Request(whole, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.headers["Location"])


def _push(registry: str) -> str:
    """Push an image without layers, as a client does; its digest."""
    settings = json.dumps({"architecture": "amd64", "os": "linux", "config": {}}).encode()
    digest = f"sha256:{hashlib.sha256(settings).hexdigest()}"
    where = _send(registry, "POST", "blobs/uploads/")
    _send(registry, "PUT", f"{where}&digest={digest}", settings, "application/octet-stream")
    about = {"mediaType": "application/vnd.docker.container.image.v1+json"}
    config = {**about, "size": len(settings), "digest": digest}
    manifest = {"schemaVersion": 2, "mediaType": _KIND, "config": config, "layers": []}
    data = json.dumps(manifest).encode()
    _send(registry, "PUT", "manifests/1", data, _KIND)
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _world(make: Make, place: Path) -> World:
    """A cluster whose registry keeps its images at a place of this machine."""
    world = make(CONFIG.replace("{enabled: true,", f"{{enabled: true, path: {place},"))
    world.fakes["infra01"].rules = [lambda command, stdin: Local().run(command, stdin)]
    return world


@pytest.mark.docker
def test_the_clusters_own_registry_is_asked_on_its_node(make: Make, tmp_path: Path) -> None:
    (tmp_path / "main").symlink_to(tmp_path / "data")
    world = _world(make, tmp_path)
    with dockers.registry(tmp_path) as registry:
        assert pushed(world.cluster, [IMAGE]) == {IMAGE: "no"}
        digest = _push(registry)
    by_digest = f"{PLACE}/atlas_web@{digest}"
    absent, far = f"{PLACE}/atlas_web:2", "docker.io/library/nginx:1"
    wanted = [IMAGE, absent, by_digest, f"{PLACE}/none:1", far]
    found = ["yes", "no", "yes", "no", "unknown"]
    assert pushed(world.cluster, wanted) == dict(zip(wanted, found, strict=True))


def test_a_registry_whose_node_does_not_answer_is_unknown(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make(CONFIG)

    def away(command: str, stdin: bytes) -> Result:
        raise DeployError("infra01 cannot be reached")

    world.fakes["infra01"].rules = [away]
    assert pushed(world.cluster, [IMAGE]) == {IMAGE: "unknown"}
    assert "registry is not asked" in capsys.readouterr().err


def test_without_a_registry_of_its_own_no_node_is_asked(make: Make) -> None:
    world = make(CONFIG.replace("enabled: true", "enabled: false"))
    assert pushed(world.cluster, [IMAGE]) == {IMAGE: "unknown"}
    assert not world.commands("infra01") and pushed(world.cluster, []) == {}
