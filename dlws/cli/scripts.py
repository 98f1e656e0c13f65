"""Commands that run scripts on nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.global_options import AS_TYPED

if TYPE_CHECKING:
    from dlws.session import Session


@click.command(context_settings=AS_TYPED)
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def runscriptonall(session: Session, script: str, args: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on all nodes.

    Only the script and the files that it names go to a node, into a private directory that is
    removed afterwards. A node that must reboot is waited for, and the script continued there. With
    --background the script stays running on the node, and `status` shows its pid and log.
    """
    from dlws.scripts import run
    from dlws.scripts.script import find

    run.everywhere(session.cluster, session.cluster.select(), find(script, args))


@click.command(context_settings=AS_TYPED)
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def runscriptonallinparallel(ctx: click.Context, script: str, args: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on all nodes (the same as runscriptonall)."""
    runscriptonall.invoke(ctx)


@click.command(context_settings=AS_TYPED)
@click.argument(
    "words", nargs=-1, required=True, type=click.UNPROCESSED, metavar="ROLE... SCRIPT [ARGS]..."
)
@click.pass_obj
def runscriptonroles(session: Session, words: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on the nodes of the ROLEs.

    The first word that is no role (and no node's name) is the script.
    """
    from dlws.scripts import run
    from dlws.scripts.script import find

    roles, script, args = run.split_roles(session.cluster, words)
    run.everywhere(session.cluster, session.cluster.select(roles), find(script, args))


@click.command(context_settings=AS_TYPED)
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def runscriptonrandmaster(session: Session, script: str, args: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on one infra node, chosen at random among those that answer."""
    from dlws.scripts import run
    from dlws.scripts.script import find

    found = find(script, args)
    run.everywhere(session.cluster, [run.random_master(session.cluster)], found)
