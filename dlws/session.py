"""One invocation: its options, its configuration and its cluster, each made when asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dlws.core.errors import Refused, UsageError
from dlws.runs.console import Console
from dlws.runs.options import Options

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.outcomes import Outcome
    from dlws.runs.gate import Gate
    from dlws.runs.run import Keeper
    from dlws.secrets.vault import Vault

PASSPHRASE = "DLWS_SECRETS_KEY"
"""The environment variable with the passphrase of deploy/."""


def confirm(name: str, question: str, what: str, given: str | None) -> None:
    """Have the cluster's name typed, unless `given` says it; raises Refused for another one."""
    import click

    if given is None:
        asked = f"{question}\nType the cluster's name to go on"
        given = click.prompt(asked, default="", show_default=False, err=True)
    if given != name:
        raise Refused(
            f"the cluster's name is {name}; nothing was changed",
            f"type it when asked, or add --yes-{what} {name}",
        )


class Session:
    """What every command gets. Nothing is loaded or connected before it is used."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.console = Console(options.verbose)
        self.console.on_change = self._note_change

    @cached_property
    def config(self) -> Config:
        from dlws.config import load
        from dlws.config.secrets import serve_secrets

        config = load(self.options.directory, strict=self.options.strict)
        serve_secrets(config, self.vault.read, self.console.redactor.add)
        if number := len(config.warnings):
            count = f"{number} warning{'s' if number > 1 else ''}"
            self.console.say(f"config.yaml: {count}; checkconfig shows them")
        return config

    @cached_property
    def cluster(self) -> Cluster:
        from dlws.nodes import inventory, resume
        from dlws.nodes.cluster import Cluster
        from dlws.nodes.directory import check_owner

        check_owner(self.options.directory, self.config.cluster_name)
        given = (self.console, self.keeper, self.gate)
        nodes = inventory.nodes(self.config, self.options, *given, self.vault)
        cluster = Cluster(self.config, nodes, self.options, *given, self.seed, self.vault)
        self._guard(cluster)
        if self.options.resume and not self.options.dry_run:
            resume.reconcile(cluster, self.keeper())
        return cluster

    def _guard(self, cluster: Cluster) -> None:
        """From now on, a change of a node takes the lock on the first infra node, too."""
        from dlws.nodes.nodelock import Guard
        from dlws.runs import lock

        config, guard = self.config, None
        if cluster.infra and self.options.command not in lock.SHARED:
            halt = self.keeper.halt
            guard = Guard(cluster.first, self.options, self.console, halt, cluster.close)
        versions = {"kubernetes": str(config.kubernetes.version), "runtime": config.runtime}
        self.keeper.watch(guard, versions)

    @cached_property
    def gate(self) -> Gate:
        """Where every change asks whether it may be made."""
        from dlws.runs.gate import Gate

        options = self.options
        return Gate(self.console, options.dry_run, options.applied_plan, options.diff)

    @property
    def seed(self) -> str:
        """What chance is made from, so that a resumed run and an applied plan choose the same."""
        return self.options.seed or self.keeper.id

    @cached_property
    def vault(self) -> Vault:
        from dlws.secrets.vault import Vault

        return Vault(self.options.directory, self._passphrase)

    def _passphrase(self) -> str:
        """What deploy/ is encrypted with: secrets_key, DLWS_SECRETS_KEY, or asked for."""
        import click

        secret = self.config.secrets_key
        given = secret.get_secret_value() if secret else os.environ.get(PASSPHRASE, "")
        if not given and sys.stdin.isatty():
            new = not self.vault.encrypted  # a slip of the finger would lock its owner out
            question = "Passphrase of deploy/"
            given = str(click.prompt(question, hide_input=True, confirmation_prompt=new, err=True))
        if not given:
            raise UsageError(
                "no passphrase is given for the encrypted secrets in deploy/",
                f"set secrets_key in config.yaml (such as cmd:COMMAND), or {PASSPHRASE}",
            )
        self.console.redactor.add([given])
        return given

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
        from dlws.runs.run import Keeper

        return Keeper(self.options, self.console.redactor)

    def begin(self) -> None:
        """Begin the record of this run before its first change, so that it can be resumed."""
        if not self.options.dry_run:
            self.keeper()

    def steps_done(self) -> set[str]:
        """The steps that the run which is being resumed had finished."""
        from dlws.runs import journal
        from dlws.runs.records import records

        if not self.options.resume:
            return set()
        run = journal.find(self.options.directory / "deploy", self.options.resume)
        steps = [record for record in records(run) if record["kind"] == "step"]
        return {record["name"] for record in steps if not record.get("without")}

    def step_begins(self, name: str) -> None:
        if not self.options.dry_run:
            self.keeper().step = name

    def step_done(self, name: str, without: Sequence[str] = ()) -> None:
        """Record a finished step, and the nodes for which it is still to be done."""
        if self.options.dry_run:
            return
        from dlws.runs.journal import config_hash

        # A configuration that this step may have made, and that counts from now on.
        new = {} if "config" in self.__dict__ else {"config": config_hash(self.options.directory)}
        self.keeper().write("step", name=name, without=list(without), **new)

    @property
    def quarantined(self) -> Mapping[str, Outcome[Any]]:
        """The nodes that were quarantined so far."""
        return self.cluster.quarantined if "cluster" in self.__dict__ else {}

    def note_quarantined(self, step: str, outcomes: Iterable[Outcome[Any]]) -> None:
        """Record who was quarantined in a step, and why."""
        for outcome in [] if self.options.dry_run else outcomes:
            why = outcome.error.message if outcome.error else ""
            self.keeper().write("aside", node=outcome.node.name, step=step, why=why)

    def _note_change(self, node: str, text: str) -> None:
        if "keeper" in self.__dict__:
            self.keeper.note_change(node, text)

    def finish(self, outcome: str) -> None:
        """Write the outcome of this run, if it began to change anything."""
        if "keeper" in self.__dict__:
            self.keeper.close(outcome)

    def close(self) -> None:
        if "keeper" in self.__dict__:
            self.keeper.release()
        if "cluster" in self.__dict__:
            self.cluster.close()
