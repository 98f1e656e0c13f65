"""Commands for the machines that are there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from dlws.cli.completion import PATTERN

if TYPE_CHECKING:
    from dlws.azure.client import Azure
    from dlws.azure.estate import Machine
    from dlws.session import Session

_NAMES = click.argument("names", nargs=-1, required=True, metavar="NAME...",
                        shell_complete=PATTERN)  # fmt: skip


@click.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def list_machines(session: Session, output: str) -> None:
    """List the machines: role, size, power state, price class, addresses."""
    from dlws.azure import estate
    from dlws.azure.client import Azure

    session.console.data(estate.shown(estate.read(Azure(session)), output))


@click.command()
@click.pass_obj
def genconfig(session: Session) -> None:
    """Write cluster.yaml from the machines that are there, for the installation on them."""
    from dlws.azure import genconfig as actions
    from dlws.azure.client import Azure

    actions.write(Azure(session))


def _act(session: Session, names: tuple[str, ...], verb: str, consent: str | None = None) -> None:
    from dlws.azure import estate
    from dlws.azure.client import Azure

    azure = Azure(session)
    act(azure, estate.read(azure), names, verb, consent)


def act(
    azure: Azure, machines: Sequence[Machine], names: Sequence[str], verb: str, consent: str | None
) -> None:
    """Do to those of the machines that fit NAMES what a verb says."""
    from dlws.azure import estate, power
    from dlws.session import confirm

    session, what = azure.session, power.VERBS[verb]
    chosen = estate.chosen(machines, names)
    power.check_control_plane(azure, chosen, what)
    if verb == "reimage" and not session.options.dry_run:
        question = f"This makes the system disks of {_fold(chosen)} anew"
        confirm(session, question, verb, consent)
    power.act(azure, chosen, what)


def _fold(machines: Sequence[Machine]) -> str:
    from dlws.core.nodeset import fold

    return fold(one.name for one in machines)


@click.command()
@_NAMES
@click.pass_obj
def start(session: Session, names: tuple[str, ...]) -> None:
    """Start machines by NAME, role or pattern; those that run already are left alone."""
    _act(session, names, "start")


@click.command()
@_NAMES
@click.pass_obj
def stop(session: Session, names: tuple[str, ...]) -> None:
    """Stop machines by NAME, role or pattern; they are still paid for (see deallocate)."""
    _act(session, names, "stop")


@click.command()
@_NAMES
@click.pass_obj
def deallocate(session: Session, names: tuple[str, ...]) -> None:
    """Stop machines by NAME, role or pattern and give them back; disks and addresses stay."""
    _act(session, names, "deallocate")


@click.command()
@_NAMES
@click.pass_obj
def restart(session: Session, names: tuple[str, ...]) -> None:
    """Restart machines by NAME, role or pattern."""
    _act(session, names, "restart")


@click.command()
@_NAMES
@click.option("--yes-reimage", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def reimage(session: Session, names: tuple[str, ...], yes_reimage: str | None) -> None:
    """Make the system disks of machines by NAME, role or pattern anew.

    Asks for the cluster's name: what is on these disks is lost.
    """
    _act(session, names, "reimage", yes_reimage)


@click.command()
@_NAMES
@click.option("--yes-removeworkers", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def removeworkers(session: Session, names: tuple[str, ...], yes_removeworkers: str | None) -> None:
    """Delete workers by NAME or pattern, with their disks, interfaces and addresses.

    Those that are in a running Kubernetes cluster are drained and taken out of it first (with
    --force they are not); cluster.yaml loses them, too. Asks for the cluster's name.
    """
    from dlws.azure import estate
    from dlws.azure.client import Azure

    azure = Azure(session)
    _remove(session, azure, estate.chosen(estate.read(azure), names), yes_removeworkers)


def _remove(session: Session, azure: Azure, chosen: Sequence[Machine], consent: str | None) -> None:
    from dlws.azure import remove
    from dlws.install import elastic
    from dlws.session import confirm

    remove.check_workers(chosen)
    if not session.options.dry_run:
        question = f"This deletes {_fold(chosen)} with all that is on them"
        confirm(session, question, "removeworkers", consent)
    elastic.reach_from_outside(session)
    elastic.take_out(session, [one.name for one in chosen])
    remove.workers(azure, chosen)
    elastic.forget(session, azure)


@click.command()
@click.argument("size")
@_NAMES
@click.option("--yes-removeworkers", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def scaledown(
    session: Session, size: str, names: tuple[str, ...], yes_removeworkers: str | None
) -> None:
    """Delete workers of SIZE by NAME or pattern, as removeworkers does."""
    from dlws.azure import estate
    from dlws.azure.client import Azure

    azure = Azure(session)
    chosen = estate.of_size(estate.chosen(estate.read(azure), names), size)
    _remove(session, azure, chosen, yes_removeworkers)


@click.command()
@click.option("--no-wait", is_flag=True, help="Do not wait until Azure has deleted them.")
@click.option("--yes-delete", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def delete(session: Session, no_wait: bool, yes_delete: str | None) -> None:
    """Delete the resource group with all machines, disks and addresses of the cluster.

    Asks for the cluster's name. Refuses (exit 4) where the group is not this cluster's alone.
    """
    from dlws.azure import create, remove
    from dlws.azure.client import Azure
    from dlws.session import confirm

    azure = Azure(session)
    create.say_where(azure)
    things = remove.everything(azure)
    for one in things:
        session.console.say(f"  {one}")
    if not session.options.dry_run:
        question = f"This deletes {azure.group} with these {len(things)} resources, data included"
        confirm(session, question, "delete", yes_delete)
    remove.group(azure, not no_wait)


@click.command()
@click.argument("name")
@click.pass_obj
def ssh(session: Session, name: str) -> None:
    """Open a shell on the machine NAME of cluster.yaml, at its public address if it has one.

    The exit status is that of the shell.
    """
    from dlws.install.elastic import reach_from_outside
    from dlws.ssh.terminal import shell

    reach_from_outside(session)
    node = session.cluster.pick(name, "0")
    raise SystemExit(shell(node.ssh))
