"""The container runtime's configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.prepare import runtime
from dlws.verify.kinds.kind import Fix, Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Difference,
    Expectation,
    Found,
    Origin,
    Question,
)

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node
    from dlws.session import Session


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    if node.machine.in_cluster and known.joined(node):
        path, own = runtime.PATHS[cluster.config.runtime], ("machines", node.name)
        yield Expectation("runtime", path, "", (("container_runtime",), own), "runtime")


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    if wanted:
        yield Question("runtime", runtime.question(cluster.config, node))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    config, node = seen.cluster.config, seen.node
    try:
        keys = runtime.differing(config, node, seen.answers["runtime"])
    except DeployError as error:
        yield Difference("file", thing.what, error.message, thing.origin, "", error.cure)
        return
    for path in keys:
        origin = key_origin(config, node.name, path)
        what = f"{thing.what} {'.'.join(path)}".strip()
        words = "is not as it should be" if path else "is missing"
        yield Difference("file", what, words, origin, thing.fix)


def key_origin(config: Config, name: str, keys: tuple[str, ...]) -> Origin:
    """The keys that a setting of the container runtime stems from."""
    own = ("machines", name)
    section = "containerd" if config.runtime == "containerd" else "docker_daemon"
    said: Origin = ((section, *keys),) if keys else ()
    word = keys[-1] if keys else ""
    if word in ("SystemdCgroup", "exec-opts"):
        return (*said, ("kubernetes", "kubelet", "cgroupDriver"), ("container_runtime",), own)
    if word in ("sandbox_image", "sandbox"):
        return (*said, ("kubernetes", "version"), own)
    if word in ("default_runtime_name", "BinaryName", "default-runtime", "runtimes"):
        return (*said, (*own, "type"), own)
    return (*said, ("container_runtime",), ("kubernetes", "version"), own)


def _fix(session: Session, nodes: list[Node], _: str) -> None:
    cluster = session.cluster

    def one(node: Node) -> object:
        return runtime.configure(node, cluster.config)

    cluster.change_all(nodes, one, "container runtime", protect_quorum=True)


KIND = Kind("runtime", _expect, _compare, _ask, {"runtime": Fix(4, _fix)})
