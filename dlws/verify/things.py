"""What verify looks after: what is wanted, what is asked, what differs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dlws.config.problems import Path
from dlws.core.text import split_lines
from dlws.kubeadm.survey import Member
from dlws.nodes.questions import Answers, Members

if TYPE_CHECKING:
    from dlws.kubernetes.api import KubeNode
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.roles.carry import Carriers

Origin = tuple[Path, ...]
"""Keys of the configuration that a thing stems from, the closest first."""


@dataclass(frozen=True)
class Expectation:
    """A thing that the project looks after on a node. `fix` names the function that makes it so."""

    kind: str
    what: str
    wanted: str = ""
    origin: Origin = ()
    fix: str = ""


@dataclass(frozen=True)
class ClusterFacts:
    """What is known of the cluster before its nodes are asked.

    `keys` are those that sshkey installs, nothing where it is not used. `live` is None where there
    is no cluster yet, or where its API server does not answer: `silent` then says why.
    """

    keys: bytes = b""
    live: Mapping[str, KubeNode] | None = None
    silent: str = ""
    now: float = 0
    members: Mapping[str, Member] = field(default_factory=dict)
    """Those that nothing speaks against, at the addresses that config.yaml gives them."""
    names: tuple[str, ...] = ()
    """Our lines of /etc/hosts that are the same for every node."""
    doubts: Mapping[str, str] = field(default_factory=dict)
    """What speaks against members that are not in `members`."""
    waiting: Mapping[str, str] = field(default_factory=dict)
    """Nodes whose kubelet waits for its serving certificate, with the fault of its request."""
    carriers: Carriers | None = None
    """Who carries which role; None where roles are not looked at."""

    def joined(self, node: Node) -> bool:
        """Whether a node is part of the cluster, or nobody can tell."""
        return self.made and (self.live is None or node.name in self.live)

    def of(self, node: Node) -> KubeNode | None:
        """What the API server knows of a node."""
        return (self.live or {}).get(node.name)

    @property
    def made(self) -> bool:
        return self.live is not None or bool(self.silent)


def known_members(live: Mapping[str, KubeNode]) -> dict[str, Member]:
    return {n: Member(n, node.pod_cidr, node.address, node.ready) for n, node in live.items()}


@dataclass(frozen=True)
class Question:
    """A command line that changes nothing, and the name of its answer."""

    name: str
    command: str
    stdin: bytes = b""
    members: Members = field(default_factory=dict)
    """Files that it needs beside it."""


@dataclass(frozen=True)
class Difference:
    """Something that is not as config.yaml wants it: `kind what words`, and the keys it is from.

    `fix` names what puts it right; where nothing can, `cure` says what a person has to do. `by` is
    the managed thing whose check found it.
    """

    kind: str
    what: str
    words: str
    origin: Origin = ()
    fix: str = ""
    cure: str = ""
    by: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Comparison:
    """All that is needed to judge one node."""

    cluster: Cluster
    node: Node
    known: ClusterFacts
    answers: Answers

    @property
    def live(self) -> KubeNode | None:
        return (self.known.live or {}).get(self.node.name)

    def lines(self, name: str, key: str) -> list[str]:
        """The values of a key in an answer of lines KEY=VALUE."""
        pairs = [line.partition("=") for line in split_lines(self.answers[name].text)]
        return [value for found, _, value in pairs if found == key]


Found = Iterator[Difference]


def differs(thing: Expectation, words: str, cure: str = "") -> Difference:
    """A difference of the thing as a whole."""
    return Difference(thing.kind, thing.what, words, thing.origin, thing.fix, cure)
