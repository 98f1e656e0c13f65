"""Commands that show the cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


_OUTPUT = click.option(
    "--output", type=click.Choice(["table", "json"]), default="table", help="How to print it."
)


@click.command()
@_OUTPUT
@click.option("--wait", type=click.FloatRange(0, 3600), default=0, metavar="SECONDS",
              help="Give the nodes this long to become Ready.")  # fmt: skip
@click.pass_obj
def status(session: Session, output: str, wait: float) -> None:
    """Show whether nodes are reachable, what they are, and whether they are Ready.

    Exits with 0 only when all is well, else with 5. Also shows scripts left in the background.
    """
    from dlws.kubernetes import status as actions

    actions.check(session.cluster, session.cluster.select(), wait, output == "json")


@click.command()
@_OUTPUT
@click.pass_obj
def display(session: Session, output: str) -> None:
    """Show the nodes of the configuration by role."""
    import json

    from dlws.kubernetes import status as actions

    roles = actions.display(session.cluster.select())
    if output == "json":
        click.echo(json.dumps(roles, indent=2))
        return
    for role, nodes in roles.items():
        click.echo(f"{role}:")
        for node in nodes:
            click.echo("  " + "  ".join(filter(None, node.values())))
