"""Commands that prepare the cluster's directory and the way into its nodes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES

if TYPE_CHECKING:
    from dlws.access.trust import OfferedKey
    from dlws.session import Session


@click.command()
@click.pass_obj
def build(session: Session) -> None:
    """Make the cluster's id and SSH key under deploy/.

    What is there already is kept, so that it is safe to run again.
    """
    from dlws.nodes.directory import ensure

    name, vault = session.config.cluster_name, session.vault
    ensure(session.options.directory, name, vault, session.gate, session.console)


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
    from dlws.access import sshconfig
    from dlws.access import sshkey as keys

    nodes = session.cluster.select()
    sshconfig.update(session.cluster)
    if not keys.install(session.cluster, nodes, pubkeys, session.ask_secret):
        session.console.say("nothing to do: the key works")


@click.group(invoke_without_command=True)
@click.pass_context
def hosts(ctx: click.Context) -> None:
    """Write deploy/etc/hosts: the names and addresses of all nodes.

    Lines of your own in that file stay. `copytoall deploy/etc/hosts /etc/hosts` merges it into the
    nodes' own files.
    """
    from dlws.prepare.hosts import generate

    if ctx.invoked_subcommand:
        return
    session: Session = ctx.obj
    path, changed = generate(session.cluster)
    if not session.options.dry_run:
        session.console.say(f"wrote {path}" if changed else f"nothing to do: {path} is up to date")


@hosts.command()
@NODES
@click.option("--changed", is_flag=True, help="Accept changed keys: -y is for new ones only.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_obj
def trust(session: Session, nodes: tuple[str, ...], changed: bool, output: str) -> None:
    """Show the host keys of NODEs (default: all) beside those known, and accept them.

    Exchanges keys and nothing else: nobody logs in, except on jump hosts. Asks before it accepts.
    A key pinned in config.yaml is the only one accepted for its machine. A key shown by two
    machines never is.
    """
    import json

    from dlws.access import trust as keys

    def agree(seen: Sequence[OfferedKey]) -> list[OfferedKey]:
        if output == "text":
            click.echo("".join(f"{one}\n" for one in seen), nl=False)
        return _agreed(session, seen, changed)

    found = keys.trust(session.cluster, session.cluster.select(nodes), agree)
    if output == "json":
        click.echo(json.dumps([one.data() for one in found.seen], indent=2))
    found.raise_if_rejected(session.cluster)


def _agreed(session: Session, seen: Sequence[OfferedKey], changed: bool) -> list[OfferedKey]:
    """Those to accept: by the options, else by a person's answers."""
    options = session.options
    new = [one for one in seen if one.verdict == "new" or one.learned]
    moved = [one for one in seen if one.verdict == "changed"]
    asks = sys.stdin.isatty() and not options.dry_run
    if new and not options.yes:
        yes = asks and click.confirm(f"Trust these new keys ({len(new)})?", err=True)
        new = new if yes else []
    if moved and not changed:
        name = session.config.cluster_name
        question = f"Keys CHANGED ({len(moved)}). Type the cluster's name to accept them"
        typed = asks and click.prompt(question, default="", show_default=False, err=True)
        moved = moved if typed == name else []
    return [*new, *moved]
