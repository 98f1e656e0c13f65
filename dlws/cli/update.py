"""The older names of parts of the installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@click.pass_obj
def deploy(session: Session) -> None:
    """Make the control plane on all infra nodes: their tools, then the same as `kubeadm init`.

    On a running cluster it joins infra nodes that are missing. It never empties an etcd.
    """
    from dlws.install import nodes

    nodes.control_plane(session.cluster)


@click.command()
@NODES
@click.pass_obj
def updateworker(session: Session, nodes: tuple[str, ...]) -> None:
    """Bring workers (or those of NODEs) to what config.yaml says: prepared, joined, up to date.

    All at once. Where nothing differs, nothing is changed.
    """
    from dlws.install import nodes as parts
    from dlws.verify import run

    chosen = parts.workers_of(session.cluster, nodes)
    parts.workers(session.cluster, chosen)
    run.heal(session, chosen)


@click.command()
@NODES
@click.pass_context
def updateworkerinparallel(ctx: click.Context, nodes: tuple[str, ...]) -> None:
    """Bring workers (or those of NODEs) to what config.yaml says (the same as updateworker)."""
    updateworker.invoke(ctx)
