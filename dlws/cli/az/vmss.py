"""Commands for workers that are one scale set."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def vmss() -> None:
    """Workers that are one VM scale set (worker_scale_set: true); `create` makes it.

    Instances are started, stopped, deallocated, restarted, reimaged and removed by the commands of
    those names, as other machines are.
    """


@vmss.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def list_instances(session: Session, output: str) -> None:
    """List the instances, oldest first."""
    from dlws.azure import estate, scaleset
    from dlws.azure.client import Azure

    found = scaleset.instances(Azure(session))
    rows = json.dumps([one.row() for one in found], indent=2)
    session.console.data(rows if output == "json" else estate.table(found))


@vmss.command()
@click.argument("number", type=click.IntRange(0, 1000))
@click.option("--yes-removeworkers", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_context
def scale(ctx: click.Context, number: int, yes_removeworkers: str | None) -> None:
    """Have NUMBER instances; where there are more, the newest leave as with removeworkers."""
    from dlws.azure import scaleset
    from dlws.azure.client import Azure
    from dlws.cli.az.machines import removeworkers

    azure = Azure(ctx.obj)
    leaving = scaleset.surplus(scaleset.instances(azure), number)
    if leaving:
        names = tuple(one.name for one in leaving)
        ctx.invoke(removeworkers, names=names, yes_removeworkers=yes_removeworkers)
    else:
        scaleset.grow(azure, number)


@vmss.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--off", is_flag=True, help="Protect them no longer.")
@click.pass_obj
def protect(session: Session, names: tuple[str, ...], off: bool) -> None:
    """Keep instances by NAME or pattern from being taken when Azure scales the set in."""
    from dlws.azure import estate, scaleset
    from dlws.azure.client import Azure

    azure = Azure(session)
    chosen = estate.chosen(scaleset.instances(azure), names)
    scaleset.protect(azure, chosen, not off)
