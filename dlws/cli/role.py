"""Roles: folders of files for nodes, listed, brought there, verified and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES, ROLE

if TYPE_CHECKING:
    from dlws.session import Session


_ROLE = click.argument("name", metavar="ROLE", shell_complete=ROLE)


@click.group()
def role() -> None:
    """List roles and who carries them; apply, verify and remove them."""


@role.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def list_(session: Session, output: str) -> None:
    """List the roles, and the machines that carry them."""
    from dlws.roles import listing

    session.console.data(listing.shown(session.cluster, output))


@role.command()
@_ROLE
@NODES
@click.pass_obj
def apply(session: Session, name: str, nodes: tuple[str, ...]) -> None:
    """Bring ROLE, and the roles that it needs, to the NODEs that carry it (default: all of them).

    Each node is asked once what differs; only that is changed. Units are restarted once, and only
    where a file of theirs has changed.
    """
    from dlws.roles.apply import apply as bring

    bring(session.cluster, name, nodes)


@role.command()
@_ROLE
@NODES
@click.option("--fix", is_flag=True, help="Put right what can be, and verify again.")
@click.option("--output", type=click.Choice(["text", "json", "junit"]), default="text")
@click.pass_obj
def verify(session: Session, name: str, nodes: tuple[str, ...], fix: bool, output: str) -> None:
    """Show how NODEs (default: all that carry it) differ from ROLE. Changes nothing without --fix.

    Exits with 0 when nothing differs, else with 5. `verify` looks at all roles and at all else.
    """
    from dlws.roles.carry import Carriers
    from dlws.verify import run

    chosen = Carriers(session.cluster).chosen(name, nodes)
    run.verify(
        session, chosen, fix, output, lambda thing: (thing.kind, thing.what) == ("role", name)
    )


@role.command()
@_ROLE
@NODES
@click.pass_obj
def remove(session: Session, name: str, nodes: tuple[str, ...]) -> None:
    """Take ROLE away from NODEs (default: all): its units, files and links.

    Files that the role replaced come back. Directories and users stay, with their content.
    """
    from dlws.roles.apply import remove as take_away

    take_away(session.cluster, name, nodes)
