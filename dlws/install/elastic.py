"""Workers on Azure come and go, and the Kubernetes cluster follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.azure import genconfig
from dlws.azure.client import again
from dlws.core.errors import DeployError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.install import nodes as parts
from dlws.kubeadm import reset
from dlws.kubernetes import labels, scheduling
from dlws.prepare import hosts
from dlws.scripts import run as scripts
from dlws.scripts.script import find

if TYPE_CHECKING:
    from dlws.azure.client import Azure
    from dlws.session import Session


def reach_from_outside(session: Session) -> None:
    """From now on connect to public addresses: a devbox is rarely in the virtual network."""
    session.options = replace(session.options, public=True)


def running(session: Session) -> bool:
    """Whether there is a Kubernetes cluster on the machines."""
    return (session.options.directory / "deploy/sshkey/admin.conf").exists()


def welcome(session: Session, azure: Azure) -> None:
    """Write new machines to cluster.yaml, and bring them into a running Kubernetes cluster."""
    if session.options.dry_run:
        return
    if not running(session) or not genconfig.is_ours(session.options.directory):
        session.console.say(f"write them to cluster.yaml: {again('genconfig')}")
        return
    before = set(session.config.machines)
    genconfig.write(azure)
    session.reread()
    if new := [name for name in session.config.machines if name not in before]:
        bring_in(session, new)


def bring_in(session: Session, names: Sequence[str]) -> None:
    """Prepare workers and join them, as `up` does; each part is safe to repeat."""
    cluster = session.cluster
    nodes = parts.workers_of(cluster, names)
    session.console.say(f"bringing {fold(names)} into the cluster")
    try:
        hosts.install(cluster, cluster.select())
        scripts.everywhere(cluster, nodes, find("scripts/prepare_vm_disk.sh"))
        scripts.everywhere(cluster, nodes, find("scripts/dns.sh"))
        parts.workers(cluster, nodes)
        labels.apply(cluster, labels.all_labels(cluster.config), nodes)
    except DeployError as error:
        line = f"{PROGRAM} --public updateworker {fold(names)}"
        words = f"not all of {fold(names)} are in the cluster"
        raise _after(error, words, f"the machines are there; bring them in: {line}") from error


def take_work_again(session: Session, names: Sequence[str]) -> None:
    """Uncordon nodes that were stopped and are started again, where they are in the cluster."""
    inside = [name for name in names if name in session.config.machines]
    if inside and running(session) and not session.options.dry_run:
        scheduling.uncordon(session.cluster, session.cluster.select(inside))


def _after(error: DeployError, words: str, cure: str) -> DeployError:
    """The same error, with what Azure has done by then, and how to go on from there."""
    told = DeployError(f"{words}: {error.message}", cure)
    told.code = error.code
    return told


def take_out(session: Session, names: Sequence[str]) -> None:
    """Drain nodes and take them out of Kubernetes, where there is one; with --force they are not
    drained."""
    inside = [name for name in names if name in session.config.machines]
    if inside and running(session) and not session.options.force:
        reset.reset(session.cluster, session.cluster.select(inside))


def forget(session: Session, azure: Azure) -> None:
    """Take machines that are gone out of a cluster.yaml that genconfig wrote, and their names off
    the nodes that are left (with --force the nodes are not asked)."""
    if session.options.dry_run or not genconfig.is_ours(session.options.directory):
        return
    genconfig.write(azure)
    if not running(session):
        return
    line = f"{PROGRAM} --public hosts install"
    if session.options.force:
        session.console.say(f"the other nodes still know their names; take those away: {line}")
        return
    session.reread()
    try:
        hosts.install(session.cluster, session.cluster.select())
    except DeployError as error:
        words = "the machines are gone, and not all nodes forgot their names"
        raise _after(error, words, f"when the nodes answer: {line}") from error
