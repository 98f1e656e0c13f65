"""What the nodes have of Kubernetes, read in one round trip each."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlws.core import resources
from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.nodes.outcomes import Outcome
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


@dataclass(frozen=True)
class Member:
    """A node as the API server knows it."""

    name: str
    pod_cidr: str = ""
    address: str = ""
    ready: bool = False
    machine_id: str = ""


@dataclass(frozen=True)
class State:
    """A node's own view: what is on it and, where its API server answers, who is in the cluster."""

    version: str = ""
    kubelet: bool = False
    control_plane: bool = False
    etcd_data: bool = False
    init_started: bool = False
    join_started: bool = False
    api: bool = False
    api_says: str = ""
    machine_id: str = ""
    hosts: str = ""
    ca: bytes = b""
    members: dict[str, Member] = field(default_factory=dict)

    @property
    def touched(self) -> bool:
        """Whether kubeadm has been at work here."""
        return self.kubelet or self.control_plane or self.etcd_data


def parse(text: str) -> State:
    """The state that templates/kubernetes/state.sh printed."""
    values: dict[str, str] = {}
    members: dict[str, Member] = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if key == "member":
            name, pods, addresses, ready, id = value.split("|")
            members[name] = Member(name, pods, addresses.split(" ")[0], ready == "True", id)
        else:
            values[key] = value
    flags = {
        name: values.get(name) == "1"
        for name in ("kubelet", "control_plane", "etcd_data", "init_started", "join_started", "api")
    }
    return State(
        version=values.get("version", "").removeprefix("v"),
        api_says=values.get("api_says", ""),
        machine_id=values.get("machine_id", ""),
        hosts=base64.b64decode(values.get("hosts", "")).decode(errors="surrogateescape"),
        ca=base64.b64decode(values.get("ca", "")),
        members=members,
        **flags,
    )


def read(node: Node) -> State:
    """One node's state; infra nodes ask their API server, too."""
    text = (resources.templates() / "kubernetes/state.sh").read_text()
    ask = "1" if node.machine.is_infra else "0"
    return parse(node.read(script(text, ask), sudo=True).text)


@dataclass(frozen=True)
class ClusterState:
    """The states of some nodes, and what kept the others from telling theirs."""

    states: dict[str, State]
    failures: list[Outcome[State]]
    live: Node | None

    @property
    def members(self) -> dict[str, Member]:
        return self.states[self.live.name].members if self.live else {}

    def outcomes(self, nodes: Sequence[Node]) -> list[Outcome[State]]:
        """What came of asking these nodes."""
        failed = {outcome.node.name: outcome for outcome in self.failures}
        return [
            failed.get(node.name) or Outcome(node, value=self.states.get(node.name))
            for node in nodes
        ]

    def copies(self, name: str) -> list[str]:
        """The other nodes and members that have the machine-id of a node."""
        own = self.states[name].machine_id if name in self.states else ""
        ids = {other: member.machine_id for other, member in self.members.items()}
        ids |= {other: state.machine_id for other, state in self.states.items()}
        return sorted(other for other, id in ids.items() if own and id == own and other != name)

    def running(self) -> Node:
        """An infra node whose API server answers."""
        if self.live is None:
            says = [f"{name}: {s.api_says}" for name, s in self.states.items() if s.api_says]
            says += [f"{o.node.name}: {o.error.message}" for o in self.failures if o.error]
            raise DeployError(
                "\n  ".join(["no API server of the cluster answers", *says]),
                f"run: {PROGRAM} kubeadm init (it goes on where it stopped)",
            )
        return self.live


def survey(cluster: Cluster, nodes: Sequence[Node]) -> ClusterState:
    """The states of all infra nodes and of `nodes`; who cannot be reached is in `failures`."""
    cluster.first  # noqa: B018  without an infra node there is nothing to ask
    asked = [*cluster.infra, *(node for node in nodes if node not in cluster.infra)]
    outcomes = cluster.read_all(asked, read, "looking at the nodes")
    states = {o.node.name: o.value for o in outcomes if o.value is not None}
    live = [n for n in cluster.infra if n.name in states and states[n.name].api]
    return ClusterState(states, [o for o in outcomes if o.error], live[0] if live else None)
