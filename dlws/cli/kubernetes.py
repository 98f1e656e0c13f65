"""Commands for the running Kubernetes cluster."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES, SERVICE
from dlws.cli.global_options import AS_TYPED

if TYPE_CHECKING:
    from dlws.session import Session


VERBS = ("active", "inactive", "remove")


@click.group()
def kubernetes() -> None:
    """Start and stop services, label nodes for them, and say which nodes take work."""


_SERVICES = click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=SERVICE)
_OUTPUT = click.option("--output", type=click.Choice(["table", "json"]), default="table")
_TIMEOUT = click.option("--timeout", type=click.FloatRange(1, 86400), default=300,
                        show_default=True, metavar="SECONDS",
                        help="Give the pods this long.")  # fmt: skip


@kubernetes.command()
@_SERVICES
@_TIMEOUT
@click.pass_obj
def start(session: Session, services: tuple[str, ...], timeout: float) -> None:
    """Start SERVICEs (default: all) and those that they need, and wait until they are up.

    Objects that differ from the manifests are applied, and objects that left them are deleted; data
    stays. A pod that does not come up is named with the reason.
    """
    from dlws.services import start as actions

    actions.start(session.cluster, services, timeout)


@kubernetes.command()
@_SERVICES
@_TIMEOUT
@click.option("--delete-data", is_flag=True, help="Delete claims, namespaces and definitions, too.")
@click.option("--yes-delete-data", metavar="CLUSTER",
              help="The cluster's name, instead of typing it when asked.")  # fmt: skip
@click.pass_obj
def stop(
    session: Session,
    services: tuple[str, ...],
    timeout: float,
    delete_data: bool,
    yes_delete_data: str | None,
) -> None:
    """Stop SERVICEs (without any: all, with -y): delete their objects, the last first.

    PersistentVolumeClaims, namespaces and definitions of kinds stay, and with them all data.
    """
    from dlws.services import stop as actions
    from dlws.session import confirm

    def consent(lost: list[str]) -> None:
        if not session.options.dry_run:
            question = f"This deletes data for good: {', '.join(lost)}"
            confirm(session, question, "delete-data", yes_delete_data)

    actions.stop(session.cluster, services, timeout, consent if delete_data else None)


@kubernetes.command()
@_SERVICES
@_TIMEOUT
@click.pass_obj
def restart(session: Session, services: tuple[str, ...], timeout: float) -> None:
    """Replace the pods of SERVICEs (default: all that are started) by new ones, step by step."""
    from dlws.services import stop as actions

    actions.restart(session.cluster, services, timeout)


@kubernetes.command()
@_SERVICES
@_OUTPUT
@click.pass_obj
def status(session: Session, services: tuple[str, ...], output: str) -> None:
    """Show how SERVICEs (default: all) do, where they answer, and what is wrong.

    Exits with 0 only when all is well, else with 5.
    """
    from dlws.services import listing

    listing.check(session.cluster, services, output)


@kubernetes.command("list")
@_OUTPUT
@click.pass_obj
def list_(session: Session, output: str) -> None:
    """List the services that there are."""
    from dlws.services import listing

    session.console.data(listing.there_are(session.options.directory, output))


@kubernetes.command()
@_SERVICES
@_OUTPUT
@click.pass_obj
def images(session: Session, services: tuple[str, ...], output: str) -> None:
    """List the images of SERVICEs (default: all that the cluster has machines for): where each is
    had from, and whether its registry has it. Says what to do where nothing brings one.

    The cluster's own registry is asked on its node, others through this machine's Docker.
    """
    from dlws.install.pushed import pushed
    from dlws.services import listing

    listing.images(session.cluster, services, output, pushed)


@kubernetes.command()
@_SERVICES
@click.pass_obj
def render(session: Session, services: tuple[str, ...]) -> None:
    """Print the objects of SERVICEs (default: all) as YAML, without secrets. Asks no cluster."""
    from dlws.services import listing

    session.console.data(listing.rendered(session.cluster, services))


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
@click.argument("marks", nargs=-1, metavar="[MARK]...")
@click.pass_obj
def mark(session: Session, marks: tuple[str, ...]) -> None:
    """Label nodes with what their machines say at the keys of kubemarks (rack, sku), all or these.

    Labels that somebody gave another value are reported; -y before the command overwrites them.
    """
    from dlws.kubernetes import labels

    config = session.config
    labels.apply(session.cluster, lambda node: labels.marks(config, node.machine, marks))


@kubernetes.command()
@click.argument("marks", nargs=-1, metavar="[MARK]...")
@click.pass_obj
def unmark(session: Session, marks: tuple[str, ...]) -> None:
    """Take the labels of kubemarks, all or these, from nodes."""
    from dlws.kubernetes import labels

    config = session.config
    labels.apply(session.cluster, lambda node: labels.marks(config, node.machine, marks, off=True))


@kubernetes.command()
@NODES
@click.pass_obj
def cordon(session: Session, nodes: tuple[str, ...]) -> None:
    """Let NODEs (default: infra nodes) take no new work."""
    from dlws.kubernetes import scheduling

    cluster = session.cluster
    scheduling.cordon(cluster, cluster.select(nodes or ("infrastructure",)))


@kubernetes.command()
@NODES
@click.pass_obj
def uncordon(session: Session, nodes: tuple[str, ...]) -> None:
    """Let NODEs take work again; without NODEs let infra nodes work as workers.

    Without NODEs this removes the NoSchedule taint of infra nodes and labels them like workers.
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
