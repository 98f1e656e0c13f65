"""Commands that reach nodes directly."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODE, PATTERN
from dlws.cli.global_options import AS_TYPED

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@click.argument("role", shell_complete=PATTERN)
@click.argument("which", default="0", metavar="[INDEX|NAME]", shell_complete=NODE)
@click.option("--print", "line", is_flag=True, help="Print the line for ssh instead.")
@click.pass_obj
def connect(session: Session, role: str, which: str, line: bool) -> None:
    """Open a shell on a node: the INDEXth (from 0) of a ROLE, or the one with NAME.

    ROLE may be a node's name as well. The exit status is that of the shell. deploy/ssh_config has
    all nodes for ssh, scp, rsync and editors, too.
    """
    from dlws.access import sshconfig
    from dlws.shell.quoting import sh
    from dlws.ssh.terminal import shell

    node = session.cluster.pick(role, which)
    if line:
        sshconfig.update(session.cluster)
        click.echo(sh("ssh", "-F", sshconfig.path(session.cluster), node.name))
        return
    raise SystemExit(shell(node.ssh))


@click.command(context_settings=AS_TYPED)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def execonall(session: Session, command: tuple[str, ...]) -> None:
    """Run COMMAND on all nodes and show its output.

    Several words reach the node quoted as typed here; a single word is a shell line of its own:
    execonall 'df -h | grep data'. With --sudo it runs as root.
    """
    from dlws.nodes.commands import everywhere

    everywhere(session.cluster, command, show=True)


@click.command(context_settings=AS_TYPED)
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
@click.pass_obj
def doonall(session: Session, command: tuple[str, ...]) -> None:
    """Run COMMAND on all nodes without showing its output (failures are shown)."""
    from dlws.nodes.commands import everywhere

    everywhere(session.cluster, command, show=False)


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("destination")
@click.pass_obj
def copytoall(session: Session, source: Path, destination: str) -> None:
    """Copy a file or directory to DESTINATION on all nodes, as root.

    Modes are kept; files that are there with the same content are not sent again. The lines of
    deploy/etc/hosts are merged into /etc/hosts: other lines there stay.
    """
    from dlws.nodes.commands import copy
    from dlws.prepare import hosts

    cluster = session.cluster
    if hosts.is_ours(cluster, source, destination):
        session.console.say(f"merging {source} into /etc/hosts: other lines there stay")
        text = source.read_text(errors="replace")
        changed = hosts.install(cluster, cluster.select(), text)
    else:
        changed = copy(cluster, source, destination)
    verb = "would change" if session.options.dry_run else "changed"
    session.console.say(f"{verb} {changed} nodes" if changed else "nothing to do: it is there")
