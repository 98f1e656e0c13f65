"""Remove from the registry what no tag leads to, and nothing that is being pushed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError, Refused
from dlws.core.limits import PATIENT
from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.nodes.node import CommandFailed
from dlws.registry.start import configured, machine
from dlws.registry.status import NUMBER, sized
from dlws.runs.plan import Planned
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.core.connection import Result
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_BUSY = 75


@dataclass(frozen=True)
class Garbage:
    """What no tag leads to."""

    manifests: tuple[str, ...] = ()
    blobs: int = 0
    size: int = 0
    uploads: tuple[str, ...] = ()
    readonly: bool = False
    """Whether an earlier run was cut off, and has left the registry without taking anything."""

    @property
    def lines(self) -> list[str]:
        found = [f"manifest {name}: no tag leads to it" for name in self.manifests]
        return [*found, f"{self.blobs} blobs, {sized(self.size)}"] if self.blobs else found


def parsed(answer: str) -> Garbage:
    """What gc.sh printed."""
    rows = [line.partition(" ")[::2] for line in split_lines(answer)]
    blobs = [rest.split() for kind, rest in rows if kind == "blobs"]
    if not all(len(one) == 2 and all(map(NUMBER.fullmatch, one)) for one in blobs):
        raise DeployError(
            f"the registry's node gives an answer that makes no sense: {answer[:200]!r}"
        )
    number, size = map(int, blobs[-1]) if blobs else (0, 0)
    return Garbage(
        tuple(rest for kind, rest in rows if kind == "manifest"),
        number,
        size,
        tuple(rest for kind, rest in rows if kind == "upload"),
        any(kind == "readonly" for kind, _ in rows),
    )


def collect(cluster: Cluster) -> None:
    """Remove it; Refused while something is being pushed."""
    registry = configured(cluster)
    node, store = machine(cluster, registry), registry.instances[0].path
    asked = node.read(_line("check", store), sudo=True, bounds=PATIENT)
    found = parsed(asked.text)
    forced = ["force"] if cluster.run.options.force else []
    if found.uploads and not forced:
        raise _refusal(found)
    if not (found.lines or found.readonly):
        cluster.run.console.say("nothing to do: tags lead to all that the registry has")
        return
    result = node.run(
        _line("run", store, *forced),
        sudo=True,
        check=False,
        title="collect the garbage of the registry",
        planned=Planned(preview=tuple(found.lines)),
    )
    if not node.dry_run:
        _tell(node, result)


def _tell(node: Node, result: Result) -> None:
    """Say what was removed; raise where that went wrong."""
    if result.code == _BUSY:
        raise _refusal(parsed(result.text))
    if not result.ok:
        raise CommandFailed("docker-registry garbage-collect", result)
    done = parsed(result.text)
    node.changed(
        f"removed {len(done.manifests)} manifests and {done.blobs} blobs, {sized(done.size)}"
    )


def _line(*words: str) -> str:
    return sh("bash", "-c", template("registry/gc.sh"), "dlws", *words)


def _refusal(found: Garbage) -> Refused:
    names = ", ".join(found.uploads)
    return Refused(
        f"something is being pushed to the registry, or was within the last hour: {names}; "
        "nothing was removed",
        f"wait for its end, then: {PROGRAM} registry gc; if it was given up: "
        f"{PROGRAM} --force registry gc",
    )
