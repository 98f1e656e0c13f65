"""The options of one invocation."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core import nodeset

if TYPE_CHECKING:
    from dlws.runs.limits import MaxFailures
    from dlws.runs.plan import Plan


@dataclass(frozen=True)
class Options:
    """The options that stand before the command."""

    argv: tuple[str, ...] = ("./deploy.py",)
    """The command line that is recorded, and that `resume` runs again."""
    given: tuple[tuple[str, ...], ...] = ()
    """Its global options, each with its value."""
    words: tuple[str, ...] = ()
    """What follows them: the command and its arguments."""
    command: str = ""
    directory: Path = field(default_factory=Path.cwd)
    yes: bool = False
    verbose: bool = False
    live: bool = False
    sudo: bool = False
    background: bool = False
    force: bool = False
    public: bool = False
    nodes: tuple[str, ...] = ()
    parallel: int = 32
    dry_run: bool = False
    strict: bool = False
    retry_failed: bool = False
    archtype: str | None = None
    """The architecture of images; `all` for those of the cluster."""
    lock_wait: float = 0
    max_failures: MaxFailures | None = None
    diff: bool = False
    resume: str = ""
    seed: str = ""
    subscription: str = ""
    """That of az_tools.py, where it is not the configuration's."""
    applied_plan: Plan | None = None
    """The plan that is being applied: nothing else may be changed."""
    home: Path = field(default_factory=Path.cwd)
    """Where the person is; a plan and a resumed run are carried out where they were started."""

    def line(self, *words: str, name: str = "") -> str:
        """A command line for this cluster, to be typed where the person is; `name` is another of
        our programs."""
        public = ["--public"] if self.public else []
        return shlex.join([name or self.argv[0], *self._place, *public, *words])

    def again(self, *before: str, nodes: Sequence[str] = ()) -> str:
        """This command line behind the words `before`, limited to `nodes` where there are any."""
        replaced = ("--dir", "--nodes") if nodes else ("--dir",)
        kept = [group for group in self.given if group[0].partition("=")[0] not in replaced]
        limit = ["--nodes", nodeset.fold(nodes)] if nodes else []
        options = [*self._place, *limit, *(word for group in kept for word in group)]
        return shlex.join([self.argv[0], *options, *before, *self.words])

    @property
    def _place(self) -> list[str]:
        return [] if self.directory == self.home else ["--dir", str(self.directory)]
