"""Replicated volumes on the nodes' own disks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def glusterfs() -> None:
    """Serve replicated volumes from the nodes' own disks (GlusterFS)."""


@glusterfs.command()
@click.pass_obj
def create(session: Session) -> None:
    """Make the volumes of mountpoints whose servers are machines of the cluster, and start them.

    A brick is a new directory under glusterfs_bricks. A directory that holds anything is
    refused and left as it is. Safe to run again.
    """
    from dlws.storage import glusterfs as actions

    actions.create(session.cluster)


@glusterfs.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def status(session: Session, output: str) -> None:
    """Show peers, bricks, what is to be healed, split brain. Exits with 5 if not all is well."""
    from dlws.storage import glusterstatus as actions

    actions.show(session.cluster, output)


@glusterfs.command()
@click.option("--timeout", type=click.FloatRange(1), default=600.0, show_default=True,
              help="Seconds to wait until all copies are the same.")  # fmt: skip
@click.pass_obj
def heal(session: Session, timeout: float) -> None:
    """Bring copies that were away up to date, and wait until all are the same."""
    from dlws.storage import glusterstatus as actions

    actions.heal(session.cluster, timeout)
