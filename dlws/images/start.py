"""Run an image that is built, in this terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.images import folder, names
from dlws.images.engine import Engine
from dlws.runs import plan
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def words(reference: str, arguments: Sequence[str], terminal: bool) -> list[str]:
    """The words behind `docker`: the container goes when it ends."""
    return ["run", "--rm", "--interactive", *(["--tty"] if terminal else []), reference, *arguments]


def start(cluster: Cluster, name: str, arguments: Sequence[str], archtype: str | None) -> None:
    """Run the image of that name; docker takes this process's place."""
    (context,) = folder.named(cluster.config, cluster.directory, [name])
    ((architecture, suffix), *_) = names.chosen(cluster.config, archtype).items()
    reference, engine = names.reference(cluster.config, context.name, suffix), Engine()
    _ = engine.architecture  # says where there is no engine
    if not engine.image(reference):
        option = ["--archtype", architecture] if archtype else []
        build = sh(*option, "docker", "build", context.name)
        raise DeployError(f"{reference} is not built", f"run: {PROGRAM} {build}")
    line = words(reference, arguments, sys.stdin.isatty() and sys.stdout.isatty())
    if cluster.run.gate.admit(plan.local(f"run: {sh('docker', *line)}")):
        sys.stdout.flush()
        os.execv(shutil.which("docker") or "docker", ["docker", *line])
