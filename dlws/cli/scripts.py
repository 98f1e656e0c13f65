"""Commands that run scripts on nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import PATTERN
from dlws.cli.global_options import AS_TYPED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlws.nodes.node import Node
    from dlws.scripts.script import Script
    from dlws.session import Session


def _everywhere(session: Session, nodes: Sequence[Node], found: Script) -> None:
    """Run a script on nodes, or the command of ours that it stands for."""
    from dlws.core.errors import UsageError
    from dlws.scripts import run

    if not found.command:
        run.everywhere(session.cluster, list(nodes), found)
    elif found.command == "registry secret":
        from dlws.registry import secret

        secret.bring(session.cluster, found.args)
    elif found.command == "registry pull":
        from dlws.registry import pull

        pull.pull(session.cluster, nodes, found.args)
    else:
        words = f"{found.path}: its dlws-command line names {found.command!r}"
        raise UsageError(words, "write registry secret or registry pull, or remove the line")


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
    from dlws.scripts.script import find

    _everywhere(session, session.cluster.select(), find(script, args))


@click.command(context_settings=AS_TYPED)
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def runscriptonallinparallel(ctx: click.Context, script: str, args: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on all nodes (the same as runscriptonall)."""
    runscriptonall.invoke(ctx)


@click.command(context_settings=AS_TYPED)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    type=click.UNPROCESSED,
    metavar="ROLE... SCRIPT [ARGS]...",
    shell_complete=PATTERN,
)
@click.pass_obj
def runscriptonroles(session: Session, words: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on the nodes of the ROLEs.

    The first word that is no role (and no node's name) is the script.
    """
    from dlws.scripts import run
    from dlws.scripts.script import find

    roles, script, args = run.split_roles(session.cluster, words)
    _everywhere(session, session.cluster.select(roles), find(script, args))


@click.command(context_settings=AS_TYPED)
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def runscriptonrandmaster(session: Session, script: str, args: tuple[str, ...]) -> None:
    """Run a local SCRIPT with ARGS on one infra node, chosen at random among those that answer."""
    from dlws.scripts import run
    from dlws.scripts.script import find

    found = find(script, args)
    nodes = [] if found.command else [run.random_master(session.cluster)]
    _everywhere(session, nodes, found)
