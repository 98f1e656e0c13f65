"""Commands for a storage account that keeps logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group("logging_storage")
def logging_storage() -> None:
    """Make and delete a storage account for what jobs log, and keep the way in to it."""


@logging_storage.command()
@click.pass_obj
def create(session: Session) -> None:
    """Make the storage account (storage_account_name) with a container `logs`."""
    from dlws.azure import logs
    from dlws.azure.client import Azure

    logs.create(Azure(session))


@logging_storage.command()
@click.option("--yes-delete", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def delete(session: Session, yes_delete: str | None) -> None:
    """Delete the storage account with all that was logged. Asks for the cluster's name."""
    from dlws.azure import logs
    from dlws.azure.client import Azure
    from dlws.session import confirm

    if not session.options.dry_run:
        confirm(session, "This deletes the storage account with all logs", "delete", yes_delete)
    logs.delete(Azure(session))


@logging_storage.command("connection_string")
@click.pass_obj
def connection_string(session: Session) -> None:
    """Write what programs need to reach the account to deploy/logging/connection_string."""
    from dlws.azure import logs
    from dlws.azure.client import Azure

    logs.connection_string(Azure(session))
