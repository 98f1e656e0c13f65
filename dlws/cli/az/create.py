"""Commands that make machines."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session

_NO_WAIT = click.option("--no-wait", is_flag=True, help="Do not wait until Azure has made them.")


_NO_JOIN = click.option("--no-join", is_flag=True,
                        help="Leave them out of the Kubernetes cluster.")  # fmt: skip


@click.command()
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def check(session: Session, output: str) -> None:
    """Look for what would keep Azure from making the machines: quota, sizes, images, names."""
    from dlws.azure import preflight
    from dlws.azure.client import Azure
    from dlws.azure.template import machines
    from dlws.core.errors import CheckFailed
    from dlws.core.text import columns

    found = preflight.check(Azure(session), machines.wanted(session.config))
    wrong = [one for one in found if one.cure]
    if output == "json":
        session.console.data(json.dumps([asdict(one) for one in found], indent=2))
    else:
        rows = [("!!" if one.cure else "ok", one.point, one.words, one.cure) for one in found]
        session.console.data(columns([("", "point", "found", "cure"), *rows]))
    if wrong:
        raise CheckFailed(f"{len(wrong)} points are in the way", "do what the table says")


@click.command()
@click.option("--what-if", is_flag=True, help="Ask Azure what it would change; change nothing.")
@_NO_WAIT
@click.pass_obj
def create(session: Session, what_if: bool, no_wait: bool) -> None:
    """Make the machines, networks and addresses of the configuration that are not there yet.

    With --dry-run, print the template that makes all of them: neither a login nor the network is
    needed. What is there stays as it is. Ctrl-C leaves Azure at work; `wait` picks it up again.
    """
    from dlws.azure import create as actions
    from dlws.azure.client import Azure

    if what_if:
        actions.show_what_if(Azure(session))
    elif session.options.dry_run:
        actions.preview(session)
    else:
        actions.create(Azure(session), not no_wait)


@click.command()
@click.pass_obj
def wait(session: Session) -> None:
    """Wait for the deployment that an earlier command began."""
    from dlws.azure import create as actions
    from dlws.azure.client import Azure

    actions.wait(Azure(session))


@click.command()
@click.argument("number", required=False, type=click.IntRange(1, 1000))
@_NO_WAIT
@_NO_JOIN
@click.pass_obj
def addworkers(session: Session, number: int | None, no_wait: bool, no_join: bool) -> None:
    """Add NUMBER workers to those that are there (default: as many as the configuration says).

    Where Kubernetes runs, they are written to cluster.yaml, prepared and joined.
    """
    from dlws.azure import create as actions
    from dlws.azure.client import Azure
    from dlws.install import elastic

    elastic.reach_from_outside(session)
    azure = Azure(session)
    actions.add_workers(azure, number, not no_wait)
    if not no_wait and not no_join:
        elastic.welcome(session, azure)


@click.command()
@click.argument("size")
@click.argument("number", type=click.IntRange(1, 1000))
@_NO_JOIN
@click.pass_obj
def scaleup(session: Session, size: str, number: int, no_join: bool) -> None:
    """Have NUMBER more workers of SIZE at work: those that rest are started, then new ones made.

    Where Kubernetes runs, new ones join it, and those that were started take work again.
    """
    from dlws.azure.client import Azure
    from dlws.azure.workers import scaling
    from dlws.install import elastic

    elastic.reach_from_outside(session)
    azure = Azure(session)
    started = scaling.up(azure, size, number)
    if not no_join:
        elastic.take_work_again(session, started)
        elastic.welcome(session, azure)
