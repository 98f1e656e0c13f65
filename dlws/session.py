"""One invocation: its options, its configuration and its cluster, each made when asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from dlws.core.errors import Refused, UsageError
from dlws.runs.console import Console
from dlws.runs.options import Options

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.outcomes import Outcome
    from dlws.runs.gate import Gate
    from dlws.runs.run import Run
    from dlws.secrets.vault import Vault

PASSPHRASE = "DLWS_SECRETS_KEY"
"""The environment variable with the passphrase of deploy/."""


def confirm(session: Session, question: str, what: str, given: str | None) -> None:
    """Have the cluster's name typed, unless `given` says it; raises Refused for another one.

    What is given on a line that was written down, by a run or a plan, does not count.
    """
    import click

    name, options = session.config.cluster_name, session.options
    cure = f"type it when asked, or add --yes-{what} {name}"
    if options.resume or options.applied_plan:
        given, cure = (
            None,
            f"type it when asked, or run the command itself with --yes-{what} {name}",
        )
    if given is None:
        asked = f"{question}\nType the cluster's name to go on"
        try:
            given = click.prompt(asked, default="", show_default=False, err=True)
        except click.Abort:
            if sys.stdin.isatty():
                raise
    if given != name:
        raise Refused(f"the cluster's name is {name}; nothing was changed", cure)


class Beside(Protocol):
    """Work that goes on beside the steps of an installation."""

    def close(self) -> None:
        """End it; further calls do nothing."""


class Session:
    """What every command gets. Nothing is loaded or connected before it is used."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.console = Console(options.verbose, options.live, options.dry_run)
        self._config: Config | None = None
        self._cluster: Cluster | None = None
        self._run: Run | None = None
        self.beside: Beside | None = None
        """What goes on beside the steps; it ends with the run at the latest."""
        self.begun = set[Callable[[Session], None]]()
        """What steps have begun beside them, or found to be needless."""

    @property
    def config(self) -> Config:
        self.check_config()
        assert self._config
        return self._config

    def check_config(self) -> None:
        """Read the configuration now: its errors are told before anything is done."""
        if self._config is None:
            self._config = self._load()

    def reread(self) -> None:
        """Read the configuration anew: this invocation has changed what it says."""
        if self._cluster:
            self._cluster.close()
        self._config = self._cluster = None

    def _load(self) -> Config:
        from dlws.config import load
        from dlws.config.secrets import serve_secrets

        config = load(self.options.directory, strict=self.options.strict)
        serve_secrets(config, self.vault.read, self.console.redactor.add)
        if number := len(config.warnings):
            count = f"{number} warning{'s' if number > 1 else ''}"
            self.console.say(f"config.yaml: {count}; checkconfig shows them")
        return config

    @property
    def run(self) -> Run:
        """The run of this invocation; its record begins with its first change."""
        if self._run is None:
            from dlws.runs.run import Run

            self._run = Run(self.options, self.console, self.vault)
            self.console.on_change = self._run.note_change
        return self._run

    @property
    def gate(self) -> Gate:
        """Where every change asks whether it may be made."""
        return self.run.gate

    @property
    def cluster(self) -> Cluster:
        """The nodes. In a resumed run, what it had left at work there has ended by now."""
        if self._cluster is None:
            self._cluster = self._connected()
            self._reconcile(self._cluster)
        return self._cluster

    def _connected(self) -> Cluster:
        from dlws.nodes import inventory
        from dlws.nodes.cluster import Cluster
        from dlws.nodes.directory import check_owner

        check_owner(self.options.directory, self.config.cluster_name)
        cluster = Cluster(self.config, inventory.nodes(self.config, self.run), self.run)
        self._guard(cluster)
        return cluster

    def _reconcile(self, cluster: Cluster) -> None:
        from dlws.nodes import resume

        if self.options.resume and not self.options.dry_run and (journal := self.run.journal()):
            resume.reconcile(cluster, journal)

    def _guard(self, cluster: Cluster) -> None:
        """From now on, a change of a node takes the lock on the first infra node, too."""
        from dlws.nodes.nodelock import Guard
        from dlws.runs import lock

        config, guard = self.config, None
        if cluster.infra and self.options.command not in lock.SHARED:
            guard = Guard(cluster.first, self.run, cluster.close)
        versions = {"kubernetes": str(config.kubernetes.version), "runtime": config.runtime}
        self.run.watch(guard, versions)

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

    def end_step(self, name: str, without: Sequence[str] = ()) -> None:
        """Record a finished step, and the nodes for which it is still to be done."""
        from dlws.runs.journal import config_hash

        # A configuration that this step may have made, and that counts from now on.
        new = {} if self._config else {"config": config_hash(self.options.directory)}
        self.run.write("step", name=name, without=list(without), **new)

    @property
    def quarantined(self) -> Mapping[str, Outcome[Any]]:
        """The nodes that were quarantined so far."""
        return self._cluster.quarantined if self._cluster else {}

    def finish(self, outcome: str) -> None:
        """Write the outcome of this run, if it began to change anything."""
        self._end_beside()
        if self._run:
            self._run.close(outcome)

    def _end_beside(self) -> None:
        if self.beside:
            self.beside.close()

    def close(self) -> None:
        self._end_beside()
        if self._run:
            self._run.release()
        if self._cluster:
            self._tell_learned(self._cluster)
            self._cluster.close()

    def _tell_learned(self, cluster: Cluster) -> None:
        """Say which host keys were taken on trust: nobody was asked, for no password was sent."""
        from dlws.nodes.firstcontact import learned

        for line in learned(cluster.nodes, self.options.line("hosts", "trust")):
            self.console.say(line)
