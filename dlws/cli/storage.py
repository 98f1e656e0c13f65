"""Shares that nodes mount."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES

if TYPE_CHECKING:
    from dlws.session import Session


@click.group(invoke_without_command=True)
@click.pass_context
def mount(ctx: click.Context) -> None:
    """Mount the shares of config.yaml on all nodes and link them; alone: the same as `start`."""
    if ctx.invoked_subcommand is None:
        _bring(ctx.obj, ("mounts", "mount-links"))


def _bring(session: Session, roles: tuple[str, ...], nodes: tuple[str, ...] = ()) -> None:
    from dlws.storage import mount as actions

    actions.bring(session.cluster, roles, nodes)


@mount.command()
@NODES
@click.pass_obj
def install(session: Session, nodes: tuple[str, ...]) -> None:
    """Install the programs that the shares need, and mount nothing."""
    _bring(session, ("mount-packages",), nodes)


@mount.command()
@NODES
@click.pass_obj
def start(session: Session, nodes: tuple[str, ...]) -> None:
    """Install what is needed, mount the shares, now and after every reboot, and link them."""
    _bring(session, ("mounts", "mount-links"), nodes)


@mount.command()
@NODES
@click.pass_obj
def nolink(session: Session, nodes: tuple[str, ...]) -> None:
    """Mount the shares without linking them."""
    _bring(session, ("mounts",), nodes)


@mount.command()
@NODES
@click.pass_obj
def link(session: Session, nodes: tuple[str, ...]) -> None:
    """Make the links that jobs use, and mount nothing."""
    _bring(session, ("mount-links",), nodes)


@mount.command()
@NODES
@click.pass_obj
def stop(session: Session, nodes: tuple[str, ...]) -> None:
    """Unmount the shares until `mount start`, or until the node is started again."""
    from dlws.storage import mount as actions

    actions.stop(session.cluster, nodes)


@mount.command()
@NODES
@click.pass_obj
def clean(session: Session, nodes: tuple[str, ...]) -> None:
    """Remove units, credentials, links and empty mount points; refused while anything is mounted.

    Data is never deleted: neither what lies on a share, nor what lies where one was mounted.
    """
    from dlws.storage import mount as actions

    actions.clean(session.cluster, nodes)


@mount.command()
@NODES
@click.option("--output", type=click.Choice(["table", "json"]), default="table")
@click.pass_obj
def status(session: Session, nodes: tuple[str, ...], output: str) -> None:
    """Show what is mounted on each node, and whether it answers. Exits with 5 if not."""
    from dlws.storage import status as actions

    actions.show(session.cluster, nodes, output)
