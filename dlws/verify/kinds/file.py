"""Files that are placed on nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.kubeadm import controlplane, encryption, podnetwork
from dlws.shell import files
from dlws.shell.files import File
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Expectation,
    Found,
    Question,
    differs,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


_KEYS = {
    podnetwork.CONFLIST: "pod_cidr",
    podnetwork.ROUTES: "pod_cidr",
    controlplane.AUDIT_POLICY: "audit",
    controlplane.ADMISSION: "pod_security",
    controlplane.ENCRYPTION: "encrypt_secrets",
}


def placed(cluster: Cluster, node: Node, known: ClusterFacts) -> list[File]:
    """The files that put_tree() places."""
    return [*_network(cluster, node, known), *_control_plane(cluster, node)]


def _control_plane(cluster: Cluster, node: Node) -> list[File]:
    """What API servers read; the key of Secrets where there is one, for all the same."""
    if not node.machine.is_infra:
        return []
    config = cluster.config
    sealing = encryption.kept(cluster) if config.kubernetes.encrypt_secrets else b""
    return [*controlplane.files(config), *encryption.file(sealing)]


def _network(cluster: Cluster, node: Node, known: ClusterFacts) -> list[File]:
    first = podnetwork.first_files(cluster)
    own = known.members.get(node.name)
    if not first or own is None or not own.pod_cidr:
        return first
    return [*first, *podnetwork.bridge_files(cluster.config, node.name, known.members)]


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if not (node.machine.in_cluster and known.joined(node)):
        return
    own = ("machines", node.name)
    for file in _network(cluster, node, known):
        key = _KEYS.get(file.path, "network")
        origin = (("kubernetes", key), ("kubernetes", "network"), own)
        yield Expectation("file", file.path, file.state, origin, "network")
    for file in _control_plane(cluster, node):
        origin = (("kubernetes", _KEYS[file.path]), ("kubernetes", "version"), own)
        yield Expectation("file", file.path, file.state, origin, "controlplane")


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    if wanted:
        yield Question("files", *files.question(placed(cluster, node, known)))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    paths = _paths(seen)
    states = files.states(seen.answers["files"].text, len(paths))
    has, want = files.parts(states[paths.index(thing.what)]), files.parts(thing.wanted)
    if has[0] == "-":
        yield differs(thing, _NO_FILE.get(has[2], "is missing"))
    elif has[0] != want[0]:
        yield differs(thing, "has other content")
    elif has != want:
        yield differs(thing, f"has mode and owner {' '.join(has[1:])}, not {' '.join(want[1:])}")


_NO_FILE = {"directory": "is a directory", "link": "is a link", "unsafe": "is behind a link"}


def _paths(seen: Comparison) -> list[str]:
    return [file.path for file in placed(seen.cluster, seen.node, seen.known)]


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    from dlws.kubeadm import podnetwork, survey

    podnetwork.update(session.cluster, survey.survey(session.cluster, []))


KIND = Kind("file", _expect, _compare, _ask, {"network": Fix(5, _fix)})
