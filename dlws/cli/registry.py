"""The cluster's own registry of images, and the images that nodes pull."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def registry() -> None:
    """Run the cluster's own registry of images; give nodes the credentials and images of others."""


@registry.command()
@click.option("--devbox", is_flag=True, help="Have this machine's Docker trust it, too (root).")
@click.pass_obj
def start(session: Session, devbox: bool) -> None:
    """Start the registry on its node, with TLS, and have every node trust it.

    A second time changes nothing; a certificate that nears its end, or that lacks a name, is made
    anew. Where it is, and what it mirrors, says registry in config.yaml.
    """
    from dlws.registry import start as actions

    actions.start(session.cluster, devbox)


@registry.command()
@click.pass_obj
def stop(session: Session) -> None:
    """Stop the registry and its mirrors until `registry start`. Images stay where they are."""
    from dlws.registry import start as actions

    actions.stop(session.cluster)


@registry.command()
@click.option("--output", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def status(session: Session, output: str) -> None:
    """Show whether it answers here and on every node, its certificate, images and disk.

    Exits with 5 if something is wrong.
    """
    from dlws.registry import status as actions

    actions.show(session.cluster, output)
