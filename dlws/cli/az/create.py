"""Commands that make machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@click.pass_obj
def create(session: Session) -> None:
    """Make the machines, networks and addresses of the configuration that are not there yet.

    With --dry-run, print the template that makes all of them: neither a login nor the network is
    needed. What is there stays as it is.
    """
    from dlws.azure import create as actions

    if session.options.dry_run:
        actions.preview(session)
        return
