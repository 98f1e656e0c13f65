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


_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TOKEN = re.compile(r"[\x21-\x7e]+")


def checked(value: object) -> str:
    """A digest from outside, before anything is done with it: it names a file here."""
    if not isinstance(value, str) or not _DIGEST.fullmatch(value):
        raise _senseless(f"{str(value)[:80]!r} is no sha256 digest")
    return value


def _senseless(why: str) -> DeployError:
    return DeployError(
        f"the registry's answer makes no sense: {why}",
        "check the name of the image and this machine's proxy, then try again",
    )


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _senseless(f"{text[:80]!r} is no JSON object")
    return value


def _list(value: object) -> list[dict[str, Any]]:
    found = value if isinstance(value, list) else []
    return [item for item in found if isinstance(item, dict)]


def choose(index: dict[str, Any], architecture: str) -> str:
    """The digest of the manifest for an architecture, from a list of several."""
    for item in _list(index.get("manifests")):
        platform = item.get("platform")
        found = platform if isinstance(platform, dict) else {}
        if (found.get("os"), found.get("architecture")) == ("linux", architecture):
            return checked(item.get("digest"))
    raise DeployError(f"the image has nothing for linux/{architecture}", "leave that --arch out")


def parts(manifest: dict[str, Any]) -> tuple[str, list[str]]:
    """The digests of an image's configuration and of its layers, lowest first."""
    settings = manifest.get("config")
    layers = [checked(layer.get("digest")) for layer in _list(manifest.get("layers"))]
    return checked(settings.get("digest") if isinstance(settings, dict) else None), layers


def challenge(headers: str) -> str:
    """The address that gives a token, from the headers of an answer; empty if none is needed."""
    found = re.search(r"^www-authenticate: *bearer (.*)$", headers, re.IGNORECASE | re.MULTILINE)
    if not found:
        return ""
    values = dict(re.findall(r'(\w+)="([^"]*)"', found[1]))
    realm = values.pop("realm", "")
    return f"{realm}?{urlencode(values)}" if realm.startswith("https://") else ""


def pull(workspace: Workspace, name: str, architecture: str, out: Path, pinned: str) -> None:
    """Write an image as a docker-archive: what `pinned` names, or else what its tag does now."""
    reference = parse(name)
    headers = _authorization(reference)
    manifest = _manifest(workspace, reference, pinned, headers)
    if "manifests" in manifest:
        manifest = _manifest(workspace, reference, choose(manifest, architecture), headers)
    config, layers = parts(manifest)

    def blob(sha256: str) -> Path:
        return _blob(workspace, reference.blob_url(sha256), sha256, headers)

    files = {f"{sha256.removeprefix('sha256:')}.tar.gz": blob(sha256) for sha256 in layers}
    save(out, Image(name, architecture, ()), blob(config).read_bytes(), files)
    remove(workspace.work / "blobs")


def tagged(workspace: Workspace, name: str) -> str:
    """The digest of what an image's tag names now, for all architectures together."""
    reference = parse(name)
    out = workspace.work / "tagged"
    _fetch_manifest(reference, reference.tag, _authorization(reference), out)
    return f"sha256:{digest(out)}"


def _manifest(
    workspace: Workspace, reference: Reference, pinned: str, headers: list[str]
) -> dict[str, Any]:
    if not pinned:
        return _object(_fetch_manifest(reference, reference.tag, headers))
    url = reference.manifest_url(checked(pinned))
    return _object(_blob(workspace, url, pinned, _accepting(headers)).read_bytes())


def _fetch_manifest(
    reference: Reference, tag: str, headers: list[str], out: Path | None = None
) -> str:
    return download.fetch(reference.manifest_url(tag), out, _accepting(headers))


def _accepting(headers: list[str]) -> list[str]:
    return [*headers, *(f"Accept: {kind}" for kind in _TYPES)]


def _blob(workspace: Workspace, url: str, expected: str, headers: list[str]) -> Path:
    path = workspace.work / "blobs" / checked(expected).removeprefix("sha256:")
    download.fetch(url, path, headers)
    if f"sha256:{digest(path)}" != expected:
        path.unlink()
        raise DeployError(f"{url} is not what its digest says", "check the proxy, then try again")
    return path


def _authorization(reference: Reference) -> list[str]:
    url = reference.manifest_url(reference.tag)
    answer = Local().run(download.curl("--head", "--", url))
    token_url = challenge(answer.text.replace("\r", ""))
    if not token_url:
        return []
    answered = _object(download.fetch(token_url))
    token = answered.get("token") or answered.get("access_token")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise _senseless("it gives no token")
    return [f"Authorization: Bearer {token}"]
