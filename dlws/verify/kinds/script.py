"""What node scripts and sshkey install make, by their check mode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.access import sshkey
from dlws.core.errors import DeployError
from dlws.nodes.questions import CHECK_FAILED, said
from dlws.prepare import scripts
from dlws.scripts import run
from dlws.scripts.checkmode import checking
from dlws.scripts.script import find
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
    own = ("machines", node.name)
    if known.keys:
        yield Expectation("script", "sshkey", "", (("admin_username",), own), "sshkey")
    names = [*scripts.SCRIPTS, "dns.sh", "prepare_vm_disk.sh"] if node.machine.in_cluster else []
    for name in [*names, "install_kubeadm.sh"] if names and known.made else names:
        yield Expectation("script", name, "", (own,), f"script:{name}")


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    for thing in wanted:
        if thing.what == "sshkey":
            yield Question("sshkey", sshkey.differences(node), known.keys)
        else:
            yield Question(thing.what, checking(cluster.config, node, thing.what))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    result, config, name = seen.answers[thing.what], seen.cluster.config, seen.node.name
    rows = said(result)
    if result.code not in (0, CHECK_FAILED) or (result.code and not rows):
        raise DeployError(f"{thing.what} cannot check this node: {result.complaint}")
    for kind, what, words in rows:
        origin = key_origin(config, name, thing.what, kind, what)
        text, _, cure = words.partition("; cure: ")
        yield Difference(kind, what, text, origin, "" if kind == "state" else thing.fix, cure)


def key_origin(config: Config, name: str, script: str, kind: str, what: str) -> Origin:
    """The keys that a difference which a script found stems from."""
    own = ("machines", name)
    servers = [("dns_server", platform) for platform in config.platforms]
    scripts: dict[str, Origin] = {
        "sshkey": (("admin_username",), ("ssh", "user"), own),
        "install_kubeadm.sh": (("kubernetes", "version"), ("kubernetes", "source"), own),
        "dns.sh": (*servers, ("dns_server",), ("network", "domain"), own),
    }
    if script in scripts:
        return scripts[script]
    if kind == "file" and what.startswith("/etc/apt/sources.list"):
        return (("apt_mirror_url",), own)
    if kind == "group":
        return (("admin_username",), own)
    if kind == "package" and "toolkit" in what:
        return ((*own, "type"), own)
    if kind in ("package", "unit") and config.runtime in what:
        return (("container_runtime",), ("kubernetes", "version"), own)
    return ((*own, "role"), own)


def _sshkey(session: Session, nodes: list[Node], _: str) -> None:
    """Where the key or the sudo rule is gone altogether, this takes the root password."""
    cluster = session.cluster
    sshkey.install(cluster, nodes, (), session.ask_secret)
    keys = sshkey.public_keys(cluster.directory)
    cluster.change_all(nodes, lambda node: sshkey.again(node, keys), "installing the key")


def _fix(session: Session, nodes: list[Node], name: str) -> None:
    run.everywhere(session.cluster, nodes, find(f"scripts/{name}"))


KIND = Kind("script", _expect, _compare, _ask, {"sshkey": Fix(1, _sshkey), "script": Fix(3, _fix)})
