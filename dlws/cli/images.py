"""docker: images from contexts, built where they have to be, and pushed to the registry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import IMAGE
from dlws.cli.global_options import AS_TYPED

if TYPE_CHECKING:
    from dlws.session import Session

_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=IMAGE)
_FRESH = click.option("--no-cache", "fresh", is_flag=True, help="Build it anew, changed or not.")


@click.group()
def docker() -> None:
    """Build the cluster's images, push them to its registry, list and run them.

    --archtype arm64 is for that architecture alone, --archtype all for every one of the machines.
    """


@docker.command()
@_NAMES
@_FRESH
@click.pass_obj
def build(session: Session, names: tuple[str, ...], fresh: bool) -> None:
    """Build the images with these NAMEs (default: all), and those that they build on.

    Images that have not changed are not built again.
    """
    from dlws.images import work

    work.make(session.cluster, names, session.options.archtype, fresh=fresh)


@docker.command()
@_NAMES
@_FRESH
@click.pass_obj
def push(session: Session, names: tuple[str, ...], fresh: bool) -> None:
    """Build the images with these NAMEs (default: all) and push them to their registry.

    Images that the registry has are not pushed again. After a failed build nothing is pushed.
    """
    from dlws.images import work

    work.make(session.cluster, names, session.options.archtype, push=True, fresh=fresh)


@docker.command(context_settings=AS_TYPED)
@click.argument("name", metavar="NAME", shell_complete=IMAGE)
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def run(session: Session, name: str, args: tuple[str, ...]) -> None:
    """Run the image NAME in this terminal, with ARGS as its command."""
    from dlws.images import start

    start.start(session.cluster, name, args, session.options.archtype)


@docker.command("list")
@_NAMES
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
@click.pass_obj
def list_(session: Session, names: tuple[str, ...], output: str) -> None:
    """List images: what they are called, where their contexts lie, what is built and pushed."""
    from dlws.images import listing

    shown = listing.shown(session.cluster, names, session.options.archtype, output)
    session.console.data(shown)
