"""What a call is about: the contexts that it needs, staged, and what each is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.connection import Local
from dlws.core.errors import DeployError, UsageError
from dlws.images import dockerfile, folder, names, stage
from dlws.images.commands import Job
from dlws.images.folder import PREBUILD, Context
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

_COMMIT = "GIT_HASH"
"""The build argument with the commit of a checkout, which the ancestor's images may take."""


@dataclass
class Wanted:
    """An image of one architecture, its context staged."""

    context: Context
    target: stage.Target
    place: Path
    named: bool
    label: str
    """What people see before its lines: its name, and the architecture where there are several."""
    before: str = ""
    """The hash of its context before its prebuild.sh: what a plan compares."""
    bases: list[str] = field(default_factory=list)
    """The images of ours that it builds on, by name in small letters."""
    error: DeployError | None = None
    """Why it cannot be built; that is this image's failure, and no other's."""


class Survey:
    """Stages contexts below a directory, and finds what they build on."""

    def __init__(self, cluster: Cluster, root: Path, targets: Mapping[str, str]) -> None:
        self._cluster, self._root, self.targets = cluster, root, targets
        self._config = cluster.config
        self._known = folder.load_all(self._config, cluster.directory)
        self._found: dict[tuple[str, str], Wanted] = {}
        self._jobs: dict[str, Job] = {}

    def of(self, chosen: Sequence[Context], ready: bool) -> list[Wanted]:
        """These images and those of ours that they build on, of every architecture.

        Unless all is `ready` to be changed, no prebuild.sh is run.
        """
        named = {context.name.lower() for context in chosen}
        for architecture in self.targets:
            queue = [context.name.lower() for context in chosen]
            while queue:
                name = queue.pop()
                if (name, architecture) not in self._found:
                    one = self._staged(self._known[name], architecture, name in named, ready)
                    self._found[name, architecture] = one
                    queue += one.bases
        return list(self._found.values())

    def label(self, base: str, one: Wanted) -> str:
        """The label of an image that another builds on."""
        return self._found[base, one.target.architecture].label

    def references(self, one: Wanted) -> list[str]:
        """The images of ours that it builds on."""
        return [one.target.reference(base) for base in one.bases]

    def _staged(self, context: Context, architecture: str, named: bool, ready: bool) -> Wanted:
        suffix = self.targets[architecture]
        reference = partial(names.reference, self._config, suffix=suffix)
        several = len(self.targets) > 1
        label = f"{context.name}-{architecture}" if several else context.name
        root = self._root / f"{context.name}-{architecture}"
        one = Wanted(context, stage.Target(architecture, suffix, reference), root, named, label)
        try:
            one.place = stage.stage(context, self._config, one.target, root)
            one.before = stage.digest(one.place, [architecture])
            if context.of_checkout and ready:
                stage.prebuild(one.place, architecture)
            one.bases = self._bases(one)
        except DeployError as error:
            one.error = error
        return one

    def _file(self, one: Wanted) -> str:
        """The Dockerfile, if it is there yet; UsageError where none can be."""
        there = [path.name for path in one.place.iterdir()]
        found = dockerfile.choose(there, one.target.architecture)
        if not found and PREBUILD not in there:
            raise UsageError(
                f"{one.context.layers[0]} has no Dockerfile for {one.target.architecture}",
                f"add a Dockerfile, or Dockerfile-{one.target.architecture}",
            )
        return found

    def _text(self, one: Wanted) -> str:
        found = self._file(one)
        return (one.place / found).read_text(errors="replace") if found else ""

    def _bases(self, one: Wanted) -> list[str]:
        ours = {}
        for name in self._known:
            try:
                ours[one.target.reference(name)] = name
            except UsageError:
                continue  # a folder that can be no image says so when it is asked for
        wanted = dockerfile.bases(self._text(one), self._arguments(one))
        return [ours[base] for base in wanted if base in ours]

    def _arguments(self, one: Wanted) -> dict[str, str]:
        """The build arguments that it declares and we know."""
        if not one.context.of_checkout or _COMMIT not in dockerfile.arguments(self._text(one)):
            return {}
        line = sh("git", "-C", one.context.layers[0], "rev-parse", "HEAD")
        return {_COMMIT: Local().run(line).text or "unknown"}

    def job(self, one: Wanted) -> Job:
        """What is to be built; DeployError where that cannot be said of it or what it builds on."""
        if one.error:
            raise one.error
        if one.label not in self._jobs:
            given = self._arguments(one)
            bases = [self.job(self._found[base, one.target.architecture]).key for base in one.bases]
            more = [one.target.architecture, *(f"{k}={v}" for k, v in given.items()), *bases]
            key = stage.digest(one.place, more)
            reference = one.target.reference(one.context.name)
            self._jobs[one.label] = Job(
                one.context.name,
                reference,
                one.target.architecture,
                self._file(one) or "Dockerfile",
                key,
                given,
            )
        return self._jobs[one.label]
