"""Make a bundle from artifacts: each is made once, cached with its hashes, and never made again."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from dlws.bundle.manifest import NAME, Manifest, checked, describe, digest, files, load
from dlws.core import ownership
from dlws.core.connection import Local
from dlws.core.errors import DeployError, Refused
from dlws.core.localfiles import private_directory
from dlws.core.text import since
from dlws.runs.console import Console
from dlws.shell.quoting import script

_LINES = 15


@dataclass(frozen=True)
class Artifact:
    """A file or directory of a bundle, and how it is made at the path it is given."""

    path: str
    recipe: str
    make: Callable[[Path], None]
    needs_source: bool = False


@dataclass(frozen=True)
class Workspace:
    """Where artifacts are made: a cache for one version, and a console to say so."""

    cache: Path
    console: Console

    @property
    def work(self) -> Path:
        return self.cache / "work"

    def run(self, command: str, title: str = "") -> str:
        """Run a command on this machine; its output, or an error with its last lines."""
        echo, finish = self.console.echo("") if self.console.verbose else (None, None)
        result = Local().run(command, echo=echo)
        if finish:
            finish()
        if not result.ok:
            last = "\n".join(f"    {line}" for line in result.complaint.splitlines()[-_LINES:])
            raise DeployError(
                f"exit {result.code} from: {title or command}\n{last}",
                "run it again with -v before the command to see all output; what is done is kept",
            )
        return result.text

    def run_script(self, file: Path, *arguments: object) -> str:
        """Run one of our shell scripts, gently: a build must not make the machine unusable."""
        text = 'exec nice sh "$@"'
        return self.run(script(text, file, *arguments), f"{file.name} {arguments[0]}")


@contextmanager
def locked(cache: Path, console: Console) -> Iterator[None]:
    """Hold a cache; another build of the same waits, and then finds everything made."""
    private_directory(ownership.trusted(cache))
    lock = ownership.open_lock(cache / "lock")
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            start = time.monotonic()
            with console.status(lambda: f"waiting for another build of the same, {since(start)}"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def make(
    workspace: Workspace, architecture: str, artifacts: Sequence[Artifact], start: float
) -> Mapping[str, str]:
    """Make the artifacts that are not there yet; the sha256 of every file of all of them."""
    sums: dict[str, str] = {}
    for number, artifact in enumerate(artifacts, 1):
        done = recorded(workspace.cache / architecture, artifact)
        if done is None:
            head = f"[{number}/{len(artifacts)}] {architecture}/{artifact.path}"
            done = _make(workspace, workspace.cache / architecture, artifact, head, start)
        sums |= done
    return sums


def _make(
    workspace: Workspace, place: Path, artifact: Artifact, head: str, start: float
) -> Mapping[str, str]:
    begun = time.monotonic()
    fresh = workspace.cache / "making"
    remove(fresh)
    target = place / artifact.path
    target.parent.mkdir(parents=True, exist_ok=True)
    with workspace.console.status(lambda: f"{head}: {since(begun)} (in all {since(start)})"):
        artifact.make(fresh)
    remove(target)
    fresh.rename(target)
    workspace.console.say(f"{head}: made in {since(begun)}")
    return record(place, artifact)


def remove(path: Path) -> None:
    """Remove a file or a directory, if there is one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _record_path(place: Path, artifact: Artifact) -> Path:
    return place.with_name(f"{place.name}.records") / f"{artifact.path.replace('/', ',')}.json"


def record(place: Path, artifact: Artifact) -> Mapping[str, str]:
    """Note what an artifact made, last of all: an artifact without this note is made again."""
    sums = _sums(place, artifact)
    path = _record_path(place, artifact)
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"recipe": artifact.recipe, "sums": sums}, indent=1))
    fresh.rename(path)
    return sums


def recorded(place: Path, artifact: Artifact) -> Mapping[str, str] | None:
    """The hashes of an artifact that is made, by this recipe and intact; else None."""
    try:
        value = json.loads(_record_path(place, artifact).read_text())
    except (FileNotFoundError, ValueError):
        return None
    good = value["recipe"] == artifact.recipe and value["sums"] == _sums(place, artifact)
    return dict(value["sums"]) if good else None


def _sums(place: Path, artifact: Artifact) -> dict[str, str]:
    target = place / artifact.path
    found = sorted(files(target)) if target.is_dir() else [target] if target.is_file() else []
    return {path.relative_to(place).as_posix(): digest(path) for path in found}


def assemble(
    workspace: Workspace, output: Path, head: Manifest, sums: Mapping[str, Mapping[str, str]]
) -> bool:
    """Put the bundle at `output`, all at once; False where the same is there already."""
    check_output(output)
    fresh = output.with_name(f".{output.name}.new-{os.getpid()}")
    remove(fresh)
    try:
        for architecture, hashes in sums.items():
            for path in hashes:
                copy(workspace.cache / architecture / path, fresh / architecture / path)
        made = {name: describe(fresh, name, hashes) for name, hashes in sums.items()}
        if (output / NAME).exists() and same(output, head, made, workspace.console):
            return False
        manifest = Manifest(head.kubernetes_version, head.origin, head.created, made)
        (fresh / NAME).write_text(manifest.dump())
        remove(output)
        fresh.rename(output)
        return True
    finally:
        remove(fresh)


def check_output(output: Path) -> None:
    """Refuse to replace a directory that is not a bundle."""
    if (
        output.exists()
        and not (output / NAME).exists()
        and (output.is_file() or any(output.iterdir()))
    ):
        raise Refused(f"{output} holds something that is not a bundle", "choose another --output")


def same(output: Path, head: Manifest, made: Mapping[str, object], console: Console) -> bool:
    """Whether an intact bundle with exactly these files is at `output`."""
    there = load(output)
    heads = (there.kubernetes_version, there.origin) == (head.kubernetes_version, head.origin)
    return heads and dict(there.architectures) == dict(made) and not checked(output, console)


def copy(source: Path, target: Path) -> None:
    """A copy and not a link: damage to one bundle must not reach the cache and all others."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
