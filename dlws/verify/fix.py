"""Put differences right by running again the function that owns the thing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlws.access import sshkey
from dlws.prepare import hosts, runtime
from dlws.scripts import run
from dlws.scripts.script import find
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.node import Node
    from dlws.session import Session
    from dlws.verify.report import Finding

ORDER = ("sshkey", "hosts", "script", "runtime", "network", "unit", "labels", "taints")
"""In the order of an installation: what comes later may need what comes first."""

Fix = Callable[["Session", list["Node"], str], object]


def plan(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """The fixes to run, in order, and the nodes that each is for."""
    found: dict[str, dict[str, None]] = {}
    for finding in findings:
        if finding.fix:
            found.setdefault(finding.fix, {})[finding.node] = None
    order = sorted(found, key=lambda name: ORDER.index(name.partition(":")[0]))
    return {name: list(found[name]) for name in order}


def apply(session: Session, name: str, nodes: Sequence[str]) -> None:
    """Run one fix on the nodes that need it."""
    kind, _, what = name.partition(":")
    FIXES[kind](session, [node for node in session.cluster.nodes if node.name in nodes], what)


def _sshkey(session: Session, nodes: list[Node], _: str) -> None:
    """Where the key or the sudo rule is gone altogether, this takes the root password."""
    cluster = session.cluster
    sshkey.install(cluster, nodes, (), session.ask_secret)
    keys = sshkey.public_keys(cluster.directory)
    cluster.change_all(nodes, lambda node: sshkey.again(node, keys), "installing the key")


def _script(session: Session, nodes: list[Node], name: str) -> None:
    run.everywhere(session.cluster, nodes, find(f"scripts/{name}"))


def _runtime(session: Session, nodes: list[Node], _: str) -> None:
    cluster = session.cluster

    def one(node: Node) -> object:
        return runtime.configure(node, cluster.config)

    cluster.change_all(nodes, one, "container runtime", protect_quorum=True)


def _network(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubeadm import podnetwork, survey

    podnetwork.update(session.cluster, survey.survey(session.cluster, []))


def _unit(session: Session, nodes: list[Node], name: str) -> None:
    command = sh("systemctl", "enable", "--now", "--quiet", name)

    def start(node: Node) -> None:
        node.run(command, sudo=True, title=f"enable and start {name}")
        if not node.dry_run:
            node.changed(f"{name} is enabled and started")

    session.cluster.change_all(nodes, start, name, protect_quorum=True)


def _labels(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubernetes import labels

    labels.apply(session.cluster, labels.all_labels(session.config), nodes)


def _taints(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubernetes import scheduling

    scheduling.taint_control_plane(session.cluster, nodes)


FIXES: dict[str, Fix] = {
    "sshkey": _sshkey,
    "hosts": lambda session, nodes, _: hosts.install(session.cluster, nodes),
    "script": _script,
    "runtime": _runtime,
    "network": _network,
    "unit": _unit,
    "labels": _labels,
    "taints": _taints,
}
