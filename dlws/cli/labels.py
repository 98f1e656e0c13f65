"""Commands that label nodes by what their machines are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dlws.session import Session


@click.command()
@click.pass_obj
def labelworker(session: Session) -> None:
    """Label nodes by architecture and workers by their devices (archType, gpu, gpuType, ...)."""
    from dlws.kubernetes import labels

    labels.apply(session.cluster, lambda node: labels.worker_labels(node.machine))


@click.command()
@click.pass_obj
def gpulabel(session: Session) -> None:
    """Label workers with their gpuType."""
    from dlws.kubernetes import labels

    labels.apply(session.cluster, lambda node: labels.gpu_labels(session.config, node.machine))


@click.command()
@click.pass_obj
def labelsku(session: Session) -> None:
    """Label nodes with their sku (sku or node-group of the machine)."""
    from dlws.kubernetes import labels

    labels.apply(session.cluster, lambda node: labels.sku_labels(node.machine))


@click.command()
@click.pass_obj
def labelvc(session: Session) -> None:
    """Label nodes with their virtual cluster (vc of the machine, else default)."""
    from dlws.kubernetes import labels

    labels.apply(session.cluster, lambda node: labels.vc_labels(node.machine))
