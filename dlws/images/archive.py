"""An image that a node sends back, before this machine's engine reads it."""

from __future__ import annotations

import json
import posixpath
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dlws.core.errors import DeployError

_LISTS = ("manifest.json", "repositories", "index.json")
"""What tells an engine how the images in an archive are called."""
_NAMES = ("io.containerd.image.name", "org.opencontainers.image.ref.name")
_LARGEST = 1024 * 1024


def check(path: Path, reference: str, node: str) -> None:
    """Raise DeployError unless a tar of `docker save` has this image, and none of another name:
    loading it would put a node's image in the place of any that this machine pushes."""
    try:
        with tarfile.open(path, "r:") as archive:
            lists = _lists(archive)
        found = set(map(_plain, _names(lists)))
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError,
            ValueError, tarfile.TarError) as error:  # fmt: skip
        raise _refusal(reference, node, "what makes no sense") from error
    wanted, tag = _plain(reference), reference.rpartition(":")[2]
    if other := sorted(found - {wanted, tag}):
        raise _refusal(reference, node, ", ".join(other)[:300])
    if wanted not in found:
        raise _refusal(reference, node, "no image of that name")


def _plain(name: str) -> str:
    """A name as engines list it."""
    return name.removeprefix("docker.io/").removeprefix("library/")


def _refusal(reference: str, node: str, sent: str) -> DeployError:
    return DeployError(
        f"{node} was asked for the image {reference} and sends {sent}; nothing was loaded",
        f"see who is root on {node}; leave it out of --nodes to have another node build",
    )


def _lists(archive: tarfile.TarFile) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for member in archive:
        name = posixpath.normpath(f"/{member.name}").lstrip("/")
        if name not in _LISTS:
            continue
        file = archive.extractfile(member) if member.isreg() and member.size < _LARGEST else None
        if name in found or file is None:
            raise ValueError(f"{name} is there twice, or is no file")
        found[name] = json.loads(file.read())
    return found


def _names(lists: dict[str, Any]) -> Iterator[str]:
    (image,) = lists.get("manifest.json") or [{}]
    yield from map(str, image.get("RepoTags") or ())
    for name, tags in (lists.get("repositories") or {}).items():
        yield from (f"{name}:{tag}" for tag in tags)
    for one in (lists.get("index.json") or {}).get("manifests") or ():
        said = one.get("annotations") or {}
        yield from (str(said[key]) for key in _NAMES if key in said)
