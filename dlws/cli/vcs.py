"""Commands for virtual clusters, in the cluster's database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dlws.cli.database import OUTPUT, PERMISSION, allow, changing, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlws.database.client import Change
    from dlws.database.vcs import Vc
    from dlws.session import Session


@click.group()
def vc() -> None:
    """Divide the cluster into virtual clusters, each with a quota of devices and its users."""


def _values(function: Any) -> Any:
    """The options that say what a virtual cluster is."""
    for option in (
        click.option("--resource-metadata", metavar="JSON", help="The column resourceMetadata."),
        click.option("--resource-quota", metavar="JSON", help="cpu, memory, gpu by size."),
        click.option("--metadata", metavar="JSON", help="Of the devices: num_gpu_per_node."),
        click.option("--parent", metavar="VC", help="The virtual cluster that it is a part of."),
        click.option("--quota", "quotas", multiple=True, metavar="TYPE=COUNT",
                     help="Devices of a gpuType; may be given several times."),
    ):  # fmt: skip
        function = option(function)
    return function


def _vc(values: dict[str, Any]) -> Vc:
    from dlws.database import vcs

    return vcs.Vc(
        values["parent"],
        vcs.counts(values["quotas"]),
        vcs.document("metadata", values["metadata"]),
        vcs.document("resource-quota", values["resource_quota"]),
        vcs.document("resource-metadata", values["resource_metadata"]),
    )


def _change(
    session: Session,
    name: str,
    output: str,
    values: dict[str, Any],
    changes: Callable[[dict[str, dict[str, Any]], str, Vc], list[Change]],
) -> None:
    """Make what `changes` says of the virtual clusters that there are."""
    from dlws.database import vcs

    wanted = _vc(values)
    with changing(session, output) as database:
        database.apply(changes(vcs.known(database), name, wanted))


@vc.command("add")
@click.argument("name")
@_values
@OUTPUT
@click.pass_obj
def vc_add(session: Session, /, name: str, output: str, **values: Any) -> None:
    """Add the virtual cluster NAME."""
    from dlws.database import vcs

    _change(session, name, output, values, vcs.addition)


@vc.command("list")
@OUTPUT
@click.pass_obj
def vc_list(session: Session, output: str) -> None:
    """List the virtual clusters with their quotas; without config.yaml, those open to you."""
    if not (session.options.directory / "config.yaml").exists():
        return _open_to_me(session, output)
    from dlws.database import vcs
    from dlws.database.client import opened

    with opened(session.cluster) as database:
        found = vcs.known(database)
    shown(session, output, [{"name": name, **row} for name, row in found.items()])


def _open_to_me(session: Session, output: str) -> None:
    """What a user without the cluster's directory sees: the platform's answer."""
    from dlws.client import shown as pages
    from dlws.client.api import Client

    with Client.signed_in() as client:
        found = client.vcs()
    text = json.dumps(found, indent=2, ensure_ascii=False) if output == "json" else pages.vcs(found)
    session.console.data(text)


@vc.command("update")
@click.argument("name")
@_values
@OUTPUT
@click.pass_obj
def vc_update(session: Session, /, name: str, output: str, **values: Any) -> None:
    """Change the values that are given of the virtual cluster NAME."""
    from dlws.database import vcs

    _change(session, name, output, values, vcs.update)


@vc.command("remove")
@click.argument("name")
@OUTPUT
@click.pass_obj
def vc_remove(session: Session, name: str, output: str) -> None:
    """Remove the virtual cluster NAME and the permissions in it.

    One with jobs that did not end, storage or parts is not removed.
    """
    from dlws.database import vcs

    with changing(session, output) as database:
        database.apply(vcs.removal(database, name))


@vc.command("assign")
@click.argument("name")
@click.argument("users", nargs=-1, required=True, metavar="USER...")
@click.option("--permission", type=PERMISSION, default="user", show_default=True)
@OUTPUT
@click.pass_obj
def vc_assign(
    session: Session, name: str, users: tuple[str, ...], permission: str, output: str
) -> None:
    """Let USERs (or groups) work in the virtual cluster NAME."""
    allow(session, users, name, permission, output)
