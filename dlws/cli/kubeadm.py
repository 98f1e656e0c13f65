"""Commands that make the Kubernetes cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dlws.cli.completion import NODES

if TYPE_CHECKING:
    from dlws.session import Session


@click.group()
def kubeadm() -> None:
    """Make, grow and take apart the Kubernetes cluster."""


@kubeadm.command()
@click.option(
    "--merge-kubeconfig",
    is_flag=True,
    help="Merge the cluster into ~/.kube/config (with a backup).",
)
@click.pass_obj
def init(session: Session, merge_kubeconfig: bool) -> None:
    """Make the control plane on all infra nodes, and fetch deploy/sshkey/admin.conf.

    On a running cluster this does nothing but join infra nodes that are missing. An init that was
    interrupted goes on where it stopped.
    """
    from dlws.core import person
    from dlws.kubeadm import join as actions
    from dlws.kubernetes import kubeconfig

    cluster = session.cluster
    actions.init(cluster)
    if merge_kubeconfig or cluster.config.kubernetes.merge_kubeconfig:
        kubeconfig.merge(cluster, person.home() / ".kube/config")


@kubeadm.command()
@NODES
@click.pass_obj
def join(session: Session, nodes: tuple[str, ...]) -> None:
    """Join those NODEs (default: all) that are not in the cluster yet."""
    from dlws.kubeadm import join as actions

    actions.join(session.cluster, session.cluster.select(nodes))


@kubeadm.command()
@NODES
@click.option(
    "--yes-reset", metavar="CLUSTER", help="The cluster's name, instead of typing it when asked."
)
@click.pass_obj
def reset(session: Session, nodes: tuple[str, ...], yes_reset: str | None) -> None:
    """Take NODEs out of the cluster and clean them; without NODEs end the whole cluster.

    Asks for the cluster's name. Refuses (exit 4) to leave etcd without a majority.
    """
    from dlws.kubeadm import reset as actions
    from dlws.session import confirm

    cluster = session.cluster
    chosen = cluster.select(nodes)
    if not cluster.run.options.dry_run:
        question = actions.confirmation(cluster, chosen)
        confirm(session, question, "reset", yes_reset)
    actions.reset(cluster, chosen)


@kubeadm.command()
@click.pass_obj
def encrypt(session: Session) -> None:
    """Encrypt the Secrets of a running cluster in etcd: those that are there, and new ones.

    A new cluster does so from the beginning (kubernetes.encrypt_secrets). All infra nodes get the
    same key, which deploy/sshkey keeps; API servers restart twice, one after another.
    """
    from dlws.kubeadm import configure

    configure.seal(session.cluster)
