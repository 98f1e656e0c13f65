"""Who changes the cluster just now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def lock() -> None:
    """Show or break the lock that keeps runs apart."""


@lock.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def status(session: Session, output: str) -> None:
    """Show who holds the lock on the first infra node, and when it was last heard of."""
    from dlws.nodes import nodelock

    node = session.cluster.first
    seen = nodelock.ask(node, "show")
    if output == "json":
        click.echo(json.dumps(seen.as_data(node.name), indent=2, ensure_ascii=False))
        return
    click.echo(f"{node.name}: {seen.words}")
    if seen.stale:
        click.echo(f"if that run is dead: {nodelock.break_line(session.options)}")


@lock.command("break")
@click.option(
    "--yes-break", metavar="CLUSTER", help="The cluster's name, instead of typing it when asked."
)
@click.pass_obj
def break_lock(session: Session, yes_break: str | None) -> None:
    """Break the lock on the first infra node.

    Asks for the cluster's name. If that run is still alive, it stops before its next command;
    commands that already run on the nodes go on to their end.
    """
    from dlws.nodes import nodelock
    from dlws.session import confirm

    node, options = session.cluster.first, session.options
    seen = nodelock.ask(node, "show")
    if seen.free:
        session.console.say(f"nothing to break: {node.name}: {seen.words}")
    elif options.dry_run:
        session.console.say(f"would break: {node.name}: {seen.words}")
    else:
        confirm(session, f"{node.name}: {seen.words}", "break", yes_break)
        nodelock.break_it(node, seen, options)
        whose = seen.who.get("run", "nobody known")
        session.console.changed(f"the lock of {whose} is broken", node.name)
