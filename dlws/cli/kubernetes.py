"""Commands for the running Kubernetes cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dlws.cli.global_options import AS_TYPED

if TYPE_CHECKING:
    from dlws.session import Session


VERBS = ("active", "inactive", "remove")


@click.group()
def kubernetes() -> None:
    """Label nodes for services, and say which nodes take work."""


def _label_services(session: Session, words: tuple[str, ...]) -> None:
    from dlws.kubernetes import labels

    verb, services = (words[0], words[1:]) if words and words[0] in VERBS else ("active", words)
    labels.check_services(session.config, services)
    labels.apply(session.cluster, labels.for_services(session.config, verb, services))


@kubernetes.command("labelservice")
@click.argument("words", nargs=-1, metavar="[active|inactive|remove] [SERVICE]...")
@click.pass_obj
def labelservice(session: Session, words: tuple[str, ...]) -> None:
    """Label nodes for the services that run on them (kubelabels), all or these.

    Labels that somebody gave another value are reported; -y before the command overwrites them.
    """
    _label_services(session, words)


@kubernetes.command("labels")
@click.argument("words", nargs=-1, metavar="[active|inactive|remove] [SERVICE]...")
@click.pass_obj
def labels_(session: Session, words: tuple[str, ...]) -> None:
    """Label nodes for services (the same as labelservice)."""
    _label_services(session, words)


@kubernetes.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@click.pass_obj
def cordon(session: Session, nodes: tuple[str, ...]) -> None:
    """Let NODEs (default: the masters) take no new work."""
    from dlws.kubernetes import scheduling

    cluster = session.cluster
    scheduling.cordon(cluster, cluster.select(nodes or ("infrastructure",)))


@kubernetes.command()
@click.argument("nodes", nargs=-1, metavar="[NODE]...")
@click.pass_obj
def uncordon(session: Session, nodes: tuple[str, ...]) -> None:
    """Let NODEs take work again; without NODEs let the masters work as workers.

    Without NODEs this removes the masters' NoSchedule taint and labels them like workers.
    """
    from dlws.kubernetes import scheduling

    cluster = session.cluster
    if nodes:
        scheduling.uncordon(cluster, cluster.select(nodes))
    else:
        scheduling.untaint_control_plane(cluster, cluster.select(("infrastructure",)))


@click.command(context_settings={**AS_TYPED, "help_option_names": []})
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def kubectl(session: Session, args: tuple[str, ...]) -> None:
    """Run kubectl with ARGS as typed, against this cluster.

    Uses a kubectl of this machine where the API server can be reached from here, else the one on
    the first infra node. The exit status is kubectl's.
    """
    from dlws.kubernetes import kubectl as actions

    sys.exit(actions.run(session.cluster, args))
