"""sandbox: real local nodes to rehearse an installation on, and the faults to test it with."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODE
from dlws.core.program import PROGRAM
from dlws.core.text import since

if TYPE_CHECKING:
    from dlws.sandbox.state import Sandbox
    from dlws.session import Session

_FAULTS = {
    "cut": "Pull the network cable of NODE: connections to it time out.",
    "heal": "Undo cut, slow and lossy.",
    "kill": "Crash NODE as if its power were cut.",
    "start": "Switch NODE on again.",
    "freeze": "Hang NODE: it takes connections and says nothing.",
    "thaw": "Undo freeze.",
    "slow": "Let the link of NODE carry 4 Mbit/s.",
    "lossy": "Lose 30 % of the packets of NODE.",
}


@click.group()
def sandbox() -> None:
    """Real local nodes on this machine, to rehearse on and to test with (needs root)."""


@sandbox.command()
@click.option("--infra", type=click.IntRange(0, 240), help="Infrastructure nodes (default 1).")
@click.option("--workers", type=click.IntRange(0, 240), help="Worker nodes (default 2).")
@click.option("--config", type=click.Path(path_type=Path), help="Rehearse this config.yaml.")
@click.option("--os", help="Debian release of the nodes: bookworm (default) or trixie.")
@click.pass_obj
def up(
    session: Session, infra: int | None, workers: int | None, config: Path | None, os: str | None
) -> None:
    """Make local nodes, or what is missing of them, and a config.yaml that names them."""
    from dlws.sandbox import lifecycle

    started = time.monotonic()
    wish = lifecycle.Request(infra, workers, config, os)
    made = lifecycle.ensure(session, wish)
    if made is None:
        return
    session.console.say(f"{len(made.nodes)} nodes are up after {since(started)}")
    session.console.say(
        f"next: {PROGRAM} build, {PROGRAM} sshkey install, {PROGRAM} connect worker"
    )


@sandbox.command()
@click.pass_obj
def down(session: Session) -> None:
    """Remove the nodes and every trace of them. config.yaml and deploy/ stay."""
    from dlws.runs.plan import local
    from dlws.sandbox import lifecycle

    there = lifecycle.exists(session.options.directory)
    if there and not session.gate.admit(local("remove the local nodes and every trace of them")):
        return
    gone = lifecycle.down(session.options.directory, session.console)
    session.console.say("removed" if gone else "nothing to do: this directory has no sandbox")


@sandbox.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.option("--all", "everywhere", is_flag=True, help="List all sandboxes of this machine.")
@click.pass_obj
def status(session: Session, output: str, everywhere: bool) -> None:
    """List the nodes, their addresses and what state they are in."""
    from dlws.sandbox import lifecycle, state

    if everywhere:
        for other in state.all_sandboxes():
            click.echo(f"{other.network:<18}  {len(other.nodes):>3} nodes  {other.directory}")
        return
    rows = lifecycle.report(_found(session))
    if output == "json":
        click.echo(json.dumps(rows, indent=2))
        return
    width = max([4, *(len(row["name"]) for row in rows)])
    for row in rows:
        condition = ", ".join([row["state"], *row["link"]])
        click.echo(f"{row['name']:<{width}}  {row['address']:<15}  {row['role']:<14}  {condition}")


def _fault(name: str, text: str) -> None:
    @sandbox.command(name, help=text)
    @click.argument("node", shell_complete=NODE)
    @click.pass_obj
    def command(session: Session, node: str) -> None:
        from dlws.runs.plan import local
        from dlws.sandbox import faults

        found = _found(session)
        target = found.node(node)
        if not session.gate.admit(local(f"{name} the local node {target.name}")):
            return
        session.console.say(f"{target.name}: {faults.FAULTS[name](found, target)}")


for _name, _text in _FAULTS.items():
    _fault(_name, _text)


def _found(session: Session) -> Sandbox:
    from dlws.sandbox import lifecycle, machine

    machine.require_root()
    return lifecycle.sandbox_of(session.options.directory)
