"""Image archives as `docker save` writes them: a few JSON files and one layer."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dlws.bundle.manifest import digest
from dlws.core.errors import DeployError

_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EPOCH = "1970-01-01T00:00:00Z"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Image:
    """An image to write: its name with the tag, and what it starts."""

    name: str
    architecture: str
    entrypoint: Sequence[str]


def config(image: Image, layer_sha256: str) -> bytes:
    """The image's configuration; its hash is the image's identity."""
    value = {
        "architecture": image.architecture,
        "os": "linux",
        "created": _EPOCH,
        "config": {"Entrypoint": list(image.entrypoint), "Env": [_PATH], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_sha256}"]},
        "history": [{"created": _EPOCH, "created_by": "dlws bundle build"}],
    }
    return json.dumps(value, sort_keys=True).encode()


def manifest(image: Image, config_name: str, layers: Sequence[str]) -> bytes:
    """manifest.json of a docker-archive."""
    value = [{"Config": config_name, "RepoTags": [image.name], "Layers": list(layers)}]
    return json.dumps(value).encode()


def write(archive: Path, image: Image, root: Path) -> None:
    """Write an image whose one layer is the directory `root`, the same bytes for the same files."""
    layer = archive.with_name(f"{archive.name}.layer")
    try:
        with layer.open("wb") as file:
            write_layer(file, root)
        sha256 = digest(layer)
        save(archive, image, config(image, sha256), {f"{sha256}.tar": layer})
    finally:
        layer.unlink(missing_ok=True)


def save(archive: Path, image: Image, settings: bytes, layers: Mapping[str, Path]) -> None:
    """Write a docker-archive from an image's configuration and its layers, lowest first."""
    name = f"{hashlib.sha256(settings).hexdigest()}.json"
    with tarfile.open(archive, "w", format=tarfile.GNU_FORMAT) as tar:
        _add(tar, name, settings)
        _add(tar, "manifest.json", manifest(image, name, list(layers)))
        for member, path in layers.items():
            with path.open("rb") as file:
                tar.addfile(_member(member, path.stat().st_size), file)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    tar.addfile(_member(name, len(content)), io.BytesIO(content))


def _member(name: str, size: int, mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info


def write_layer(file: BinaryIO, root: Path) -> None:
    """A tar of everything below `root`, owned by root, in a fixed order and with fixed times."""
    with tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in _walk(root):
            info = tar.gettarinfo(path, path.relative_to(root).as_posix())
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            if info.isreg():
                with path.open("rb") as content:
                    tar.addfile(info, content)
            else:
                tar.addfile(info)


def _walk(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from _walk(path)


def names(archive: Path) -> list[str]:
    """The names of the images in a docker-archive."""
    with tarfile.open(archive) as tar:
        member = tar.extractfile("manifest.json")
        assert member, "manifest.json of an archive is a plain file"
        return [tag for image in json.load(member) for tag in image["RepoTags"]]


def file_name(name: str) -> str:
    """The file for an image: k8s.gcr.io/etcd:3.4.13-0 becomes etcd_3.4.13-0.tar."""
    file = f"{name.rpartition('/')[2].replace(':', '_')}.tar"
    if not _FILE.fullmatch(file):
        raise DeployError(f"{name!r} is not the name of an image", "see which images kubeadm names")
    return file
