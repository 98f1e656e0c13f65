"""What builds for an architecture: this machine's engine, buildx, emulation, or a node's engine."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dlws.core.errors import DeployError
from dlws.core.limits import Bounds
from dlws.core.localfiles import scratch
from dlws.images import archive, commands, stage
from dlws.images.commands import Job
from dlws.images.engine import Engine, formats, quoted, room
from dlws.shell.quoting import script, sh

if TYPE_CHECKING:
    from dlws.core.connection import Echo
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_EMULATORS = {"arm64": "aarch64", "amd64": "x86_64"}
_PIECE = 1024 * 1024


class Builder(Protocol):
    """Builds images; afterwards this machine's engine has them."""

    @property
    def where(self) -> str:
        """Words for it, behind `building`."""

    def build(self, job: Job, place: Path, bases: Sequence[str], echo: Echo, fresh: bool) -> None:
        """Build a staged context, on these images of ours."""


@dataclass(frozen=True)
class Here:
    """This machine's engine, by itself, by buildx or under emulation."""

    engine: Engine
    where: str
    how: commands.Words = ("build",)

    def build(self, job: Job, place: Path, bases: Sequence[str], echo: Echo, fresh: bool) -> None:
        words = commands.build(job, str(place), self.how, self.engine.proxies, fresh)
        self.engine.run(*words, doing=f"building {job.reference}", echo=echo)


@dataclass(frozen=True)
class OnNode:
    """The engine of a node: the context goes there and the image comes back, over SSH.

    Nobody has to log in to a registry there.
    """

    engine: Engine
    node: Node

    @property
    def where(self) -> str:
        return f"on {self.node.name}"

    def build(self, job: Job, place: Path, bases: Sequence[str], echo: Echo, fresh: bool) -> None:
        before = self._there([job.reference, *bases])
        try:
            with scratch("dlws-node-") as files:
                self._send(bases, files / "bases.tar")
                self._build(job, place, files / "context.tar", echo, fresh)
                self._fetch(job.reference, files / "image.tar")
        finally:  # what the node had not had before is gone again: nothing of it has changed
            if surplus := self._there([job.reference, *bases]) - before:
                line = sh("docker", "image", "rm", *sorted(surplus))
                self.node.read(line, sudo=True, check=False)

    def _there(self, references: Sequence[str]) -> set[str]:
        """Those images that the node has."""
        text = 'for one; do docker image inspect "$one" >/dev/null 2>&1 && echo "$one"; done; true'
        return set(self.node.read(script(text, *references), sudo=True).text.splitlines())

    def _send(self, bases: Sequence[str], tar: Path) -> None:
        if bases:
            self.engine.run("save", f"--output={tar}", *bases, doing="saving what it builds on")
            line = sh("docker", "load", "--quiet")
            self.node.read(line, stdin=_pieces(tar), sudo=True, bounds=None)

    def _build(self, job: Job, place: Path, tar: Path, echo: Echo, fresh: bool) -> None:
        stage.packed(place, tar)
        line = sh("env", "DOCKER_BUILDKIT=0", "docker", *commands.build(job, "-", fresh=fresh))
        done = self.node.read(
            line, stdin=_pieces(tar), sudo=True, check=False, echo=echo, bounds=None
        )
        if not done.ok:
            raise DeployError(
                f"building {job.reference} on {self.node.name} failed "
                f"(exit status {done.code}):\n{quoted(done)}",
                room(done, self.node.name),
            )

    def _fetch(self, reference: str, tar: Path) -> None:
        with tar.open("wb") as file:

            def keep(name: str, data: bytes) -> None:
                if name == "out":
                    file.write(data)

            line = sh("docker", "save", reference)
            # A tenth is left to whatever else needs this disk, however much a node sends.
            bounds = Bounds(shutil.disk_usage(tar.parent).free * 9 // 10, timely=False)
            self.node.read(line, sudo=True, echo=keep, bounds=bounds, title="docker save")
        archive.check(tar, reference, self.node.name)
        self.engine.run("load", f"--input={tar}", doing=f"loading {reference}")


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            yield piece


def choose(engine: Engine, cluster: Cluster, architecture: str) -> Builder:
    """What builds for an architecture; DeployError with the three cures where nothing does."""
    if engine.architecture == architecture:
        how = ("buildx", "build", "--load") if architecture in engine.builder else ("build",)
        return Here(engine, "here", how)
    if architecture in engine.builder:
        return Here(engine, "with buildx", ("buildx", "build", "--load"))
    if commands.emulates(formats(), _EMULATORS[architecture]):
        return Here(engine, "under emulation")
    if node := _node(cluster, architecture):
        return OnNode(engine, node)
    raise DeployError(
        f"nothing builds for {architecture}: this machine is {engine.architecture}, has no builder "
        "for it and runs none of its programs, and no node of it has a Docker engine that answers",
        "do one of these: apt-get install qemu-user-static (emulation); set up docker buildx with "
        f"a builder for linux/{architecture} (and start it: docker buildx inspect --bootstrap); "
        f"install Docker on a machine with archtype: {architecture}, and name that in config.yaml",
    )


def _node(cluster: Cluster, architecture: str) -> Node | None:
    """The first node of an architecture whose engine answers."""
    fitting = [node for node in cluster.select() if node.machine.archtype == architecture]
    line = script("docker version --format '{{.Server.Arch}}'")

    def answers(node: Node) -> bool:
        return node.read(line, sudo=True, check=False).text == architecture

    outcomes = cluster.read_all(fitting, answers, "looking for a Docker engine") if fitting else []
    return next((one.node for one in outcomes if not one.error and one.value), None)
