"""Commands for who is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.azure.client import Azure
    from dlws.session import Session

_SOURCES = click.argument("sources", nargs=-1, required=True, metavar="ADDRESS|NETWORK...")


def _azure(session: Session) -> Azure:
    from dlws.azure.client import Azure

    return Azure(session)


@click.command()
@click.pass_obj
def interconnect(session: Session) -> None:
    """Let the machines reach each other's public addresses (inter_connect)."""
    from dlws.azure import rules

    rules.interconnect(_azure(session))


@click.command()
@click.pass_obj
def nfsallowmaster(session: Session) -> None:
    """Let infra nodes reach the machines that serve files (nfs_allow_master)."""
    from dlws.azure import rules

    rules.nfs_allow_master(_azure(session))


@click.group()
def whitelist() -> None:
    """Let further addresses in to the ports of users, and list them."""


@whitelist.command("add")
@_SOURCES
@click.pass_obj
def add(session: Session, sources: tuple[str, ...]) -> None:
    """Let these addresses and networks in; those that others hold are left out."""
    from dlws.azure import rules

    rules.whitelist(_azure(session), add=sources)


@whitelist.command("remove")
@_SOURCES
@click.pass_obj
def remove(session: Session, sources: tuple[str, ...]) -> None:
    """Let these addresses and networks in no longer."""
    from dlws.azure import rules

    rules.whitelist(_azure(session), remove=sources)


@whitelist.command("list")
@click.pass_obj
def list_sources(session: Session) -> None:
    """List who is let in by the whitelist, a line each."""
    from dlws.azure import rules

    for source in rules.whitelisted(_azure(session)):
        session.console.data(source)


@click.group("service_tag_rules")
def service_tag_rules() -> None:
    """Let traffic in by Azure's service tags (service_tags)."""


@service_tag_rules.command("create")
@click.pass_obj
def create_rules(session: Session) -> None:
    """Make a rule for each of service_tags, and remove those of other tags."""
    from dlws.azure import rules

    rules.service_tags(_azure(session), create=True)


@service_tag_rules.command("delete")
@click.pass_obj
def delete_rules(session: Session) -> None:
    """Remove the rules of all service tags."""
    from dlws.azure import rules

    rules.service_tags(_azure(session), create=False)
