"""What the nodes have of Kubernetes, read in one round trip each."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs

from dlws.core import resources
from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.kubernetes.answers import has_expired, renewal
from dlws.nodes.outcomes import Outcome
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

T = TypeVar("T")


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


_FLAGS = ("kubelet", "control_plane", "etcd_data", "init_started", "join_started", "api")
_WORDS = ("version", "machine_id", "api_says", "hosts", "ca")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
_VERSION = re.compile(r"v?[0-9]{1,3}\.[0-9]{1,4}\.[0-9]{1,4}[-+.0-9A-Za-z]{0,64}|")


def parse(text: str) -> State:
    """The state that templates/kubernetes/state.sh printed; DeployError where it makes no sense.

    A line is KEY=BASE64, a flag is 0 or 1, and a member is a query as in a URL. So no value, which
    may be a worker's word, can end its line and be taken for another line.
    """
    try:
        return _state(text)
    except ValueError as error:
        raise DeployError(
            f"its answer about Kubernetes makes no sense: {error}",
            "look at the node yourself: nothing that it says can be relied on",
        ) from error


def _state(text: str) -> State:
    lines = [(key, value) for key, equals, value in _pairs(text) if equals]
    values = _once([(key, value) for key, value in lines if key in (*_FLAGS, *_WORDS)])
    members = [_member(value) for key, value in lines if key == "member"]
    words = {key: base64.b64decode(values.get(key, ""), validate=True) for key in _WORDS}
    version = words["version"].decode()
    if not _VERSION.fullmatch(version):
        raise ValueError(f"its kubeadm has the version {version[:80]!r}")
    return State(
        version=version.removeprefix("v"),
        api_says=words["api_says"].decode(errors="replace"),
        machine_id=words["machine_id"].decode(errors="replace"),
        hosts=words["hosts"].decode(errors="surrogateescape"),
        ca=words["ca"],
        members=_once([(member.name, member) for member in members]),
        **{key: _flag(key, values.get(key, "")) for key in _FLAGS},
    )


def _pairs(text: str) -> list[tuple[str, str, str]]:
    # Not splitlines(): that also ends lines where nothing but a value's own characters stand.
    return [line.partition("=") for line in text.split("\n")]


def _once(pairs: Sequence[tuple[str, T]]) -> dict[str, T]:
    """The pairs as a mapping; what is said twice is not to be believed at all."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"it says more than once: {', '.join(twice)[:200]}")
    return found


def _flag(key: str, value: str) -> bool:
    if value not in ("", "0", "1"):
        raise ValueError(f"{key} is {value[:80]!r}")
    return value == "1"


def _member(query: str) -> Member:
    """A member; its address and range are the word of others, and are checked where they count."""
    fields = parse_qs(query, keep_blank_values=True, strict_parsing=True, max_num_fields=64)
    name = fields.get("name", [""])[0]
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:80]!r} is no name of a node")
    pods, address, ready, id = (
        fields.get(key, [""])[0] for key in ("pods", "address", "ready", "id")
    )
    return Member(name, pods, address, ready == "True", id)


def read(node: Node) -> State:
    """One node's state; infra nodes ask their API server, too."""
    text = resources.template("kubernetes/state.sh")
    ask = "1" if node.machine.is_infra else "0"
    result = node.read(script(text, ask), sudo=True)
    if result.lost:
        raise DeployError("its answer about Kubernetes is too long", "look at the node yourself")
    return parse(result.text)


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
                renewal()
                if has_expired("\n".join(says))
                else f"run: {PROGRAM} kubeadm init (it goes on where it stopped)",
            )
        return self.live


def survey(cluster: Cluster, nodes: Sequence[Node]) -> ClusterState:
    """The states of all infra nodes and of `nodes`; who cannot be reached is in `failures`."""
    cluster.require_infra()
    asked = [*cluster.infra, *(node for node in nodes if node not in cluster.infra)]
    outcomes = cluster.read_all(asked, read, "looking at the nodes")
    states = {o.node.name: o.value for o in outcomes if o.value is not None}
    live = [n for n in cluster.infra if n.name in states and states[n.name].api]
    return ClusterState(states, [o for o in outcomes if o.error], live[0] if live else None)
