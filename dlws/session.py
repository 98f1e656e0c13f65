"""One invocation: its options, its configuration and its cluster, each made when asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.errors import UsageError
from dlws.output import Console

if TYPE_CHECKING:
    from dlws.cluster import Cluster
    from dlws.config import Config
    from dlws.gate import Gate
    from dlws.journal import Keeper
    from dlws.plan import Plan


@dataclass
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
    diff: bool = False
    resume: str = ""
    seed: str = ""
    contract: Plan | None = None
    """The plan that is being applied: nothing else may be changed."""


class Session:
    """What every command gets. Nothing is loaded or connected before it is used."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.console = Console(options.verbose)

    @cached_property
    def config(self) -> Config:
        from dlws.config import load
        from dlws.config.secrets import known_secrets

        config = load(self.options.directory, strict=self.options.strict)
        self.console.hidden.add(known_secrets(config))
        if number := len(config.warnings):
            count = f"{number} warning{'s' if number > 1 else ''}"
            self.console.say(f"config.yaml: {count}; checkconfig shows them")
        return config

    @cached_property
    def cluster(self) -> Cluster:
        from dlws import login
        from dlws.build import check_owner
        from dlws.cluster import Cluster

        check_owner(self.options.directory, self.config.cluster_name)
        given = (self.console, self.keeper, self.gate)
        nodes = login.nodes(self.config, self.options, *given)
        return Cluster(self.config, nodes, self.options, *given, self.seed)

    @cached_property
    def gate(self) -> Gate:
        """Where every change asks whether it may be made."""
        from dlws.gate import Gate

        options = self.options
        return Gate(self.console, options.dry_run, options.contract, options.diff)

    @property
    def seed(self) -> str:
        """What chance is made from, so that a resumed run and an applied plan choose the same."""
        return self.options.seed or self.keeper.id

    def ask_secret(self, question: str) -> str:
        """Ask the person for a secret, without showing it; not on a terminal, read a line."""
        import click

        if sys.stdin.isatty():
            return str(click.prompt(question, hide_input=True, err=True))
        self.console.say(f"{question}:")
        if line := sys.stdin.readline().rstrip("\r\n"):
            return line
        raise UsageError(
            f"{question}: not given, and there is no terminal to ask on",
            "write it to deploy/sshkey/rootpasswd, or to standard input",
        )

    @cached_property
    def keeper(self) -> Keeper:
        """Keeps the record of this run, from its first change on."""
        from dlws.journal import Keeper

        return Keeper(self.options, self.console.hidden)

    def steps_done(self) -> set[str]:
        """The steps that the run which is being resumed had finished."""
        from dlws import journal

        if not self.options.resume:
            return set()
        run = journal.find(self.options.directory / "deploy", self.options.resume)
        return {record["name"] for record in journal.records(run) if record["kind"] == "step"}

    def step_done(self, name: str) -> None:
        if not self.options.dry_run:
            self.keeper().write("step", name=name)

    def finish(self, outcome: str) -> None:
        """Write the outcome of this run, if it began to change anything."""
        if "keeper" in self.__dict__:
            self.keeper.close(outcome)

    def close(self) -> None:
        if "cluster" in self.__dict__:
            self.cluster.close()
