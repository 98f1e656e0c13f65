"""Commands that prepare the cluster's directory and the way into its nodes."""

from __future__ import annotations

from pathlib import Path

import click

from dlws.session import Session


@click.command()
@click.pass_obj
def build(session: Session) -> None:
    """Make the cluster's id and SSH key under deploy/.

    What is there already is kept, so that it is safe to run again.
    """
    from dlws.build import ensure

    ensure(session)


@click.group()
def sshkey() -> None:
    """Let the cluster's SSH key in on the nodes."""


@sshkey.command("install")
@click.argument("pubkeys", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_obj
def install(session: Session, pubkeys: tuple[Path, ...]) -> None:
    """Create the admin user with sudo on the nodes, and add the cluster's key (and PUBKEYS).

    Logs in as deploy/sshkey/rootuser with the password in deploy/sshkey/rootpasswd, or asks for
    it. Keys that are there stay. Nodes where the key works already are left alone.
    """
    from dlws import sshkey as keys

    nodes = session.cluster.select()
    if not keys.install(session.cluster, nodes, pubkeys, session.ask_secret):
        session.console.say("nothing to do: the key works")


@click.command()
@click.pass_obj
def hosts(session: Session) -> None:
    """Write deploy/etc/hosts: the names and addresses of all nodes.

    Lines of your own in that file stay. `copytoall deploy/etc/hosts /etc/hosts` brings it to the
    nodes.
    """
    from dlws.hosts import generate

    path, changed = generate(session.cluster)
    if not session.options.dry_run:
        session.console.say(f"wrote {path}" if changed else f"nothing to do: {path} is up to date")
