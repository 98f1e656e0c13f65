"""What a bundle holds: its manifest, and whether the files are what the manifest says."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM

if TYPE_CHECKING:
    from dlws.runs.console import Console

NAME = "manifest.json"
ARCHITECTURES = ("amd64", "arm64")
KINDS = {"bin": "binary", "cni": "cni", "images": "image", "packages": "package"}
Told = Callable[[int], None]
"""Gets the number of bytes of each piece that has been read."""
ORIGINS = ("debian", "upstream")
_WORD = re.compile(r"[\w.:+-]{1,64}", re.ASCII)
"""A version or a date; both are shown to people and stand in lines to copy."""
_SHA256 = re.compile(r"[0-9a-f]{64}")


class BundleBroken(DeployError):
    """A bundle is missing, or its manifest cannot be read."""


_CONTROL_PLANE = tuple(
    f"images/{name}_"
    for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
)


@dataclass(frozen=True)
class Entry:
    """A file of a bundle; `path` starts below the directory of its architecture."""

    path: str
    sha256: str
    size: int
    mode: int
    kind: str

    @property
    def codename(self) -> str:
        """The release that a package is for; nothing for what fits all of them."""
        return PurePosixPath(self.path).parts[1] if self.kind == "package" else ""


@dataclass(frozen=True)
class Manifest:
    """manifest.json"""

    kubernetes_version: str
    origin: str
    created: str
    architectures: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)

    def for_node(self, architecture: str, codename: str, control_plane: bool = True) -> Manifest:
        """What a node of this kind is sent: of the control plane's images a worker needs none."""
        entries = self.architectures.get(architecture)
        if entries is None:
            raise DeployError(
                f"the bundle has nothing for {architecture}, only {', '.join(self.architectures)}",
                f"{PROGRAM} bundle build --from {self.origin} --arch {architecture}",
            )
        fitting = tuple(
            entry
            for entry in entries
            if entry.codename in ("", codename)
            and (control_plane or not entry.path.startswith(_CONTROL_PLANE))
        )
        return Manifest(self.kubernetes_version, self.origin, self.created, {architecture: fitting})

    def dump(self) -> str:
        """The text of manifest.json."""
        value = {
            "kubernetes_version": self.kubernetes_version,
            "from": self.origin,
            "created": self.created,
            "architectures": {
                name: {"files": [asdict(entry) for entry in entries]}
                for name, entries in sorted(self.architectures.items())
            },
        }
        return json.dumps(value, indent=1) + "\n"

    def text(self) -> str:
        """What is in it, for people."""
        lines = [f"Kubernetes {self.kubernetes_version} from {self.origin}, made {self.created}"]
        for name, entries in sorted(self.architectures.items()):
            total = sum(entry.size for entry in entries)
            lines.append(f"{name}: {len(entries)} files, {_megabytes(total)}")
            lines += [f"  {_megabytes(e.size):>8}  {e.path}" for e in entries]
        return "\n".join(lines) + "\n"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def load(directory: Path) -> Manifest:
    """The manifest of a bundle; BundleBroken where there is none or it makes no sense."""
    path = directory / NAME
    try:
        return parse(path.read_text("utf-8"))
    except FileNotFoundError:
        raise BundleBroken(f"{path}: there is no bundle here", _cure()) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BundleBroken(f"{path}: not the manifest of a bundle: {error}", _cure()) from error


def parse(text: str) -> Manifest:
    """A manifest from its text; ValueError, KeyError or TypeError where it is wrong."""
    value: dict[str, Any] = json.loads(text)
    architectures = {
        str(name): tuple(_entry(item) for item in content["files"])
        for name, content in value["architectures"].items()
    }
    for name in architectures:
        if name not in ARCHITECTURES:
            raise ValueError(f"unknown architecture {name!r}")
    version, origin, created = (value[key] for key in ("kubernetes_version", "from", "created"))
    if origin not in ORIGINS or not _WORD.fullmatch(version) or not _WORD.fullmatch(created):
        raise ValueError("its version, origin or date is none")
    return Manifest(version, origin, created, architectures)


def _entry(item: Mapping[str, Any]) -> Entry:
    entry = Entry(**{key: item[key] for key in ("path", "sha256", "size", "mode", "kind")})
    # Paths become paths on a node, written as root: nothing may lead out of the bundle.
    if entry.kind != kind_of(entry.path):
        raise ValueError(f"{entry.path!r} is not where a {entry.kind} belongs")
    if not _SHA256.fullmatch(entry.sha256):
        raise ValueError(f"{entry.path}: {entry.sha256!r} is not a sha256")
    if entry.mode not in (0o644, 0o755):
        raise ValueError(f"{entry.path}: mode {entry.mode:o} is neither 644 nor 755")
    return entry


def kind_of(path: str) -> str:
    """The kind of a file by its place below the architecture; ValueError for no place of ours."""
    parts = path.split("/")
    good = all(re.fullmatch(r"[A-Za-z0-9][\w.+:~%-]*", part) for part in parts)
    if not good or parts[0] not in KINDS or len(parts) != (3 if parts[0] == "packages" else 2):
        raise ValueError(f"{path!r} has no place in a bundle")
    return KINDS[parts[0]]


def digest(path: Path, told: Told = lambda size: None) -> str:
    """The sha256 of a file; `told` gets the bytes of each piece that has been read."""
    value = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            value.update(chunk)
            told(len(chunk))
    return value.hexdigest()


def describe(directory: Path, architecture: str, sums: Mapping[str, str]) -> tuple[Entry, ...]:
    """Entries for the files below an architecture's directory; `sums` has hashes already known."""
    entries = []
    for path in sorted(files(directory / architecture)):
        name = path.relative_to(directory / architecture).as_posix()
        kind = kind_of(name)
        mode = 0o755 if kind in ("binary", "cni") else 0o644
        sha256 = sums.get(name) or digest(path)
        entries.append(Entry(name, sha256, path.stat().st_size, mode, kind))
    return tuple(entries)


def files(directory: Path) -> Iterable[Path]:
    """Everything below a directory that is not a directory, links that lead nowhere included."""
    for folder, folders, names in os.walk(directory):
        yield from (Path(folder) / name for name in names)
        yield from (Path(folder) / name for name in folders if (Path(folder) / name).is_symlink())


def checked(directory: Path, console: Console) -> list[str]:
    """Like problems(), and shows how far it is."""
    sizes = (entry.size for entries in load(directory).architectures.values() for entry in entries)
    with console.counting(f"checking the hashes of {directory}", sum(sizes)) as told:
        return problems(directory, told)


def problems(directory: Path, told: Told = lambda size: None) -> list[str]:
    """What is wrong with a bundle, one line per file: wrong, missing, surplus."""
    manifest = load(directory)
    expected = {
        f"{name}/{entry.path}": entry
        for name, entries in manifest.architectures.items()
        for entry in entries
    }
    found = {path.relative_to(directory).as_posix(): path for path in files(directory)}
    found.pop(NAME, None)
    lines = [f"surplus: {name}" for name in found.keys() - expected.keys()]
    lines += [f"missing: {name}" for name in expected.keys() - found.keys()]
    for name in found.keys() & expected.keys():
        lines += [f"wrong: {name}: {fault}" for fault in _faults(found[name], expected[name], told)]
    return sorted(lines)


def _faults(path: Path, entry: Entry, told: Told) -> list[str]:
    if path.is_symlink() or not path.is_file():
        return ["not a plain file"]
    if (size := path.stat().st_size) != entry.size:
        return [f"{size} bytes, {entry.size} expected"]
    if (sha256 := digest(path, told)) != entry.sha256:
        return [f"sha256 {sha256[:12]}…, {entry.sha256[:12]}… expected"]
    return []


def _cure() -> str:
    return f"make one: {PROGRAM} bundle build --from debian, or --from upstream"
