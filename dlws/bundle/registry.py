"""Fetch an image from a registry (API version 2) as an archive; every blob is checked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from dlws.bundle import download
from dlws.bundle.build import Workspace, remove
from dlws.bundle.image import Image, save
from dlws.bundle.manifest import digest
from dlws.core.connection import Local
from dlws.core.errors import DeployError
from dlws.shell.quoting import sh

_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# k8s.gcr.io is closed; the same images are at registry.k8s.io. Docker Hub has another name itself.
_HOSTS = {"k8s.gcr.io": "registry.k8s.io", "docker.io": "registry-1.docker.io"}


@dataclass(frozen=True)
class Reference:
    """An image's name in parts."""

    host: str
    repository: str
    tag: str

    def manifest_url(self, reference: str) -> str:
        return (
            f"https://{_HOSTS.get(self.host, self.host)}/v2/{self.repository}/manifests/{reference}"
        )

    def blob_url(self, sha256: str) -> str:
        return f"https://{_HOSTS.get(self.host, self.host)}/v2/{self.repository}/blobs/{sha256}"


def parse(name: str) -> Reference:
    """The parts of `host/repository:tag`; a name without a host is Docker Hub's."""
    rest, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        rest, tag = name, "latest"
    host, slash, repository = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host == "localhost"):
        host, repository = "docker.io", rest if slash else f"library/{rest}"
    return Reference(host, repository, tag)


def choose(index: dict[str, Any], architecture: str) -> str:
    """The digest of the manifest for an architecture, from a list of several."""
    for item in index["manifests"]:
        platform = item.get("platform", {})
        if (platform.get("os"), platform.get("architecture")) == ("linux", architecture):
            return str(item["digest"])
    raise DeployError(f"the image has nothing for linux/{architecture}", "leave that --arch out")


def challenge(headers: str) -> str:
    """The address that gives a token, from the headers of an answer; empty if none is needed."""
    found = re.search(r"^www-authenticate: *bearer (.*)$", headers, re.IGNORECASE | re.MULTILINE)
    if not found:
        return ""
    values = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
    realm = values.pop("realm", "")
    return f"{realm}?{urlencode(values)}" if realm.startswith("https://") else ""


def pull(workspace: Workspace, name: str, architecture: str, out: Path) -> None:
    """Write an image as a docker-archive."""
    reference = parse(name)
    headers = _authorization(reference)
    accept = [*headers, *(f"Accept: {kind}" for kind in _TYPES)]
    manifest = json.loads(download.fetch(reference.manifest_url(reference.tag), headers=accept))
    if "manifests" in manifest:
        chosen = choose(manifest, architecture)
        manifest = json.loads(
            _blob(workspace, reference.manifest_url(chosen), chosen, accept).read_bytes()
        )
    settings = _blob(
        workspace,
        reference.blob_url(manifest["config"]["digest"]),
        manifest["config"]["digest"],
        headers,
    ).read_bytes()
    layers = {}
    for layer in manifest["layers"]:
        path = _blob(workspace, reference.blob_url(layer["digest"]), layer["digest"], headers)
        layers[f"{path.name}.tar.gz"] = path
    save(out, Image(name, architecture, ()), settings, layers)
    remove(workspace.work / "blobs")


def _blob(workspace: Workspace, url: str, expected: str, headers: list[str]) -> Path:
    path = workspace.work / "blobs" / expected.removeprefix("sha256:")
    download.fetch(url, path, headers)
    if f"sha256:{digest(path)}" != expected:
        raise DeployError(f"{url} is not what its digest says", "check the proxy, then try again")
    return path


def _authorization(reference: Reference) -> list[str]:
    url = reference.manifest_url(reference.tag)
    answer = Local().run(sh(*download.CURL, "--head", url))
    token_url = challenge(answer.text.replace("\r", ""))
    if not token_url:
        return []
    token = json.loads(download.fetch(token_url))
    return [f"Authorization: Bearer {token.get('token') or token['access_token']}"]
