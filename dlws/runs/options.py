"""The options of one invocation."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlws.runs.limits import MaxFailures
    from dlws.runs.plan import Plan


@dataclass(frozen=True)
class Options:
    """The options that stand before the command."""

    argv: tuple[str, ...] = ("./deploy.py",)
    command: str = ""
    directory: Path = field(default_factory=Path.cwd)
    yes: bool = False
    verbose: bool = False
    sudo: bool = False
    background: bool = False
    archtype: str = ""
    force: bool = False
    public: bool = False
    nodes: tuple[str, ...] = ()
    parallel: int = 32
    dry_run: bool = False
    strict: bool = False
    retry_failed: bool = False
    lock_wait: float = 0
    max_failures: MaxFailures | None = None
    diff: bool = False
    resume: str = ""
    seed: str = ""
    applied_plan: Plan | None = None
    """The plan that is being applied: nothing else may be changed."""

    def line(self, *words: str) -> str:
        """A command line for this cluster's directory, to be typed where we are."""
        place = [] if self.directory == Path.cwd() else ["--dir", str(self.directory)]
        return shlex.join([self.argv[0], *place, *words])
