"""Hashes of what comes from upstream, noted before it is fetched."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlws.bundle import download
from dlws.core import resources
from dlws.core.errors import CheckFailed, Refused, UsageError
from dlws.core.localfiles import write
from dlws.core.program import PROGRAM

NAME = "bundle-pins.yaml"
"""The file in the cluster's directory. It is to be kept with config.yaml, and to be reviewed."""

FLANNEL = {
    "flannel": "ghcr.io/flannel-io/flannel:v0.26.7",
    "plugin": "ghcr.io/flannel-io/flannel-cni-plugin:v1.6.2-flannel1",
}
"""The images in flannel's manifest; nodes pull them by digest where one is pinned."""

_HEAD = """\
# What files and images from upstream must be, whoever serves them. `bundle pin` adds to it what
# their publishers said at the time; compare that with another source before you rely on it.
"""
_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Pins:
    """The sha256 of files by address, and the digests of images by name."""

    files: Mapping[str, str] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    trusting: bool = False
    """Whether what has no pin is taken as its publisher serves it now."""

    def require(self, urls: Iterable[str] = (), images: Iterable[str] = ()) -> None:
        """Refuse what has no pin, unless publishers are trusted."""
        missing = [*(u for u in urls if u not in self.files)]
        missing += [name for name in images if name not in self.images]
        if missing and not self.trusting:
            listed = "".join(f"\n  {what}" for what in missing)
            raise Refused(
                f"no hash is pinned for {len(missing)} files or images from upstream:{listed}",
                f"note what their publishers say now in {NAME}, to compare it with another source: "
                f"{PROGRAM} bundle pin; or trust them unseen: add --trust-upstream-hashes",
            )

    def file(self, url: str) -> str:
        """The sha256 of a file: the pinned one, else what its publisher says now."""
        self.require([url])
        return self.files.get(url) or download.fetch_published(url)

    def image(self, name: str) -> str:
        """The pinned digest of an image; nothing where its tag is trusted."""
        self.require(images=[name])
        return self.images.get(name, "")

    def fetch(self, url: str, out: Path) -> None:
        """Download a file that has its pinned, or published, hash."""
        download.fetch_checked(url, out, self.file(url))


def load(directory: Path, trusting: bool = False) -> Pins:
    """The pins that dlws ships, with those of the cluster's directory above them."""
    ours, theirs = read(resources.templates() / "bundle/pins.yaml"), read(directory / NAME)
    return Pins({**ours.files, **theirs.files}, {**ours.images, **theirs.images}, trusting)


def read(path: Path) -> Pins:
    """The pins in a file; none where there is no file."""
    import yaml

    try:
        value = yaml.safe_load(path.read_text("utf-8"))
        files, images = (_mapping(value, key) for key in ("files", "images"))
    except FileNotFoundError:
        return Pins()
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(
            f"{path} holds no pins: {error}", f"see docs/bundle.md; or: rm {path}"
        ) from None
    wrong = [
        what
        for found, shape in ((files, _SHA256), (images, _DIGEST))
        for what, text in found.items()
        if not shape.fullmatch(text)
    ]
    if wrong:
        raise UsageError(
            f"{path}: the pin of {wrong[0]} is no hash",
            "write 64 hex digits for a file, and sha256: and 64 hex digits for an image",
        )
    return Pins(files, images)


def _mapping(value: Any, key: str) -> dict[str, str]:
    whole = {} if value is None else value
    found = whole.get(key) or {} if isinstance(whole, dict) else None
    if not isinstance(found, dict):
        raise ValueError("`files` and `images` are mappings")
    return {str(name): str(text) for name, text in found.items()}


def disagreement(old: Pins, new: Pins) -> list[str]:
    """What publishers say now that is not what was pinned before."""
    both = (("files", old.files, new.files), ("images", old.images, new.images))
    return [
        f"{what} is {now[what]} now, and pinned as {before[what]}"
        for _, before, now in both
        for what in now.keys() & before.keys()
        if now[what] != before[what]
    ]


def add(directory: Path, new: Pins) -> list[str]:
    """Write new pins beside config.yaml; what was added. CheckFailed where one contradicts."""
    known = load(directory)
    if wrong := disagreement(known, new):
        raise CheckFailed(
            "upstream has something else than what is pinned:\n  " + "\n  ".join(sorted(wrong)),
            f"find out why before you use it; a wrong pin of yours is a line of {directory / NAME}",
        )
    own = read(directory / NAME)
    files = {url: sha for url, sha in new.files.items() if url not in known.files}
    images = {name: sha for name, sha in new.images.items() if name not in known.images}
    if files or images:
        text = dump(Pins({**own.files, **files}, {**own.images, **images}))
        write(directory / NAME, text.encode(), 0o644)
    return [*files, *images]


def dump(pins: Pins) -> str:
    import yaml

    value = {"files": dict(pins.files), "images": dict(pins.images)}
    return _HEAD + yaml.safe_dump(value, sort_keys=True, width=1 << 20)
