"""Commands for workers that are one scale set."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def vmss() -> None:
    """Workers that are one VM scale set (worker_scale_set: true); `create` makes it.

    Instances are machines, too: removeworkers, start, deallocate and so on take their names.
    """


@vmss.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def list_instances(session: Session, output: str) -> None:
    """List the instances, oldest first."""
    from dlws.azure import estate
    from dlws.azure.client import Azure
    from dlws.azure.workers import scaleset

    session.console.data(estate.shown(scaleset.instances(Azure(session)), output))


@vmss.command()
@click.option("--no-wait", is_flag=True, help="Do not wait until Azure has made it.")
@click.pass_obj
def create(session: Session, no_wait: bool) -> None:
    """Make the scale set, and what it needs of the network, where they are not there yet."""
    from dlws.azure import create as actions
    from dlws.azure.client import Azure

    actions.create_scale_set(Azure(session), not no_wait)


@vmss.command()
@click.argument("number", type=click.IntRange(0, 1000))
@click.option("--yes-removeworkers", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_context
def scale(ctx: click.Context, number: int, yes_removeworkers: str | None) -> None:
    """Have NUMBER instances; where there are more, the newest leave as with removeworkers.

    Where Kubernetes runs, new ones are written to cluster.yaml, prepared and joined.
    """
    from dlws.azure.client import Azure
    from dlws.azure.workers import scaleset
    from dlws.cli.az.machines import removeworkers
    from dlws.install import elastic

    elastic.reach_from_outside(ctx.obj)
    azure = Azure(ctx.obj)
    leaving = scaleset.surplus(scaleset.instances(azure), number)
    if leaving:
        names = tuple(one.name for one in leaving)
        ctx.invoke(removeworkers, names=names, yes_removeworkers=yes_removeworkers)
    else:
        scaleset.grow(azure, number)
        elastic.welcome(ctx.obj, azure)


def _verb(name: str, text: str) -> None:
    """A command that does to instances what the one of its name does to machines."""

    @vmss.command(name, help=text)
    @click.argument("names", nargs=-1, required=True, metavar="NAME...")
    @click.option("--yes-reimage", metavar="CLUSTER", hidden=name != "reimage",
                  help="The cluster's name, instead of typing it when asked.")  # fmt: skip
    @click.pass_obj
    def command(session: Session, names: tuple[str, ...], yes_reimage: str | None) -> None:
        from dlws.azure.client import Azure
        from dlws.azure.workers import scaleset
        from dlws.cli.az.machines import act

        azure = Azure(session)
        act(azure, scaleset.instances(azure), names, name, yes_reimage)


_verb("start", "Start instances by NAME or pattern (all); those that run are left alone.")
_verb("stop", "Stop instances by NAME or pattern (all); they are still paid for.")
_verb("deallocate", "Stop instances by NAME or pattern (all) and give them back.")
_verb("restart", "Restart instances by NAME or pattern (all).")
_verb("reimage", "Make the system disks of instances by NAME or pattern (all) anew.")


@vmss.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@click.option("--off", is_flag=True, help="Protect them no longer.")
@click.pass_obj
def protect(session: Session, names: tuple[str, ...], off: bool) -> None:
    """Keep instances by NAME or pattern from being taken when Azure scales the set in."""
    from dlws.azure import estate
    from dlws.azure.client import Azure
    from dlws.azure.workers import scaleset

    azure = Azure(session)
    chosen = estate.chosen(scaleset.instances(azure), names)
    scaleset.protect(azure, chosen, not off)
