"""A context as the engine gets it: a copy, with the templates in it filled in."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core import templates
from dlws.core.connection import Local
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import scratch
from dlws.core.templates import CannotRender
from dlws.images import ancestor
from dlws.images.folder import PREBUILD, Context
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.core.connection import Echo

_LINES = 15


@dataclass(frozen=True)
class Target:
    """What is built for: an architecture, the suffix that its tags get, and what images are called
    with it."""

    architecture: str
    suffix: str
    reference: Callable[[str], str]


def stage(context: Context, config: Config, target: Target, root: Path) -> Path:
    """Write the context below `root`; the directory in which its files are then."""
    if context.of_checkout:
        place = ancestor.tree(context.layers[0], root)
        ancestor.fill(context.layers[0], place, ancestor.values(config, target.reference))
        return place
    place = root / "context"
    values = {"config": config, "architecture": target.architecture, "image": target.reference}
    for out, (name, path) in context.placed.items():
        (place / out).parent.mkdir(parents=True, exist_ok=True)
        if out == name or path.is_symlink():
            shutil.copyfile(path, place / out, follow_symlinks=False)
        else:
            (place / out).write_text(_rendered(context, name, path, values))
        give_usual_mode(path, place / out)
    return place


def _rendered(context: Context, name: str, path: Path, values: Mapping[str, Any]) -> str:
    try:
        return templates.render_in(context.layers, name, values)
    except CannotRender as error:
        where = f"{path}{f':{error.line}' if error.line else ''}"
        raise UsageError(
            f"{where}: {error.why}",
            "correct it, or config.yaml: templates of images see config, architecture, image(NAME)",
        ) from error


def give_usual_mode(source: Path, out: Path) -> None:
    """Give a copy the mode that a checkout would give it, whatever the umask was there."""
    if not out.is_symlink():
        out.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)


def prebuild(place: Path, architecture: str, echo: Echo | None = None) -> None:
    """Run the context's prebuild.sh in it, if there is one: it adds to the copy.

    What it leaves in its TMPDIR is removed: mmdebstrap always leaves something, and where it was
    killed a whole file system.
    """
    if not (place / PREBUILD).is_file():
        return
    with scratch("dlws-prebuild-") as work:
        work.chmod(0o711)  # apt's own user passes through it
        words = (place, architecture, PREBUILD, work)
        line = script('cd "$1" && TMPDIR=$4 DLWS_ARCH=$2 exec bash "./$3"', *words)
        result = Local().run(line, echo=echo)
    if not result.ok:
        last = "\n".join(f"    {line}" for line in result.complaint.splitlines()[-_LINES:])
        raise DeployError(
            f"{PREBUILD} failed (exit status {result.code}):\n{last}",
            "run it again with -v before the command to see all that it says",
        )


def digest(place: Path, more: Iterable[str]) -> str:
    """One hash over the paths, modes and content of a directory's files, and some texts."""
    found = hashlib.sha256()

    def add(*parts: bytes) -> None:
        for part in parts:
            found.update(len(part).to_bytes(8, "big") + part)

    for path in paths(place):
        name = os.fsencode(path.relative_to(place))
        if path.is_symlink():
            add(b"link", name, os.fsencode(os.readlink(path)))
        elif path.is_file():
            runs = path.stat().st_mode & 0o100
            add(b"program" if runs else b"file", name, hashlib.sha256(path.read_bytes()).digest())
    add(b"and", *(text.encode() for text in more))
    return found.hexdigest()


def paths(place: Path) -> list[Path]:
    """Everything in a directory, in one order; what a link leads to is not looked into."""
    return sorted(path for path in place.rglob("*") if path.is_symlink() or not path.is_dir())


def packed(place: Path, out: Path) -> None:
    """The directory as a tar, for an engine elsewhere."""
    # Docker takes a stream that begins with a header of the newer format for a Dockerfile.
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as archive:
        for path in paths(place):
            archive.add(path, path.relative_to(place).as_posix(), filter=_of_root)


def _of_root(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = member.mtime = 0
    member.uname = member.gname = ""
    return member
