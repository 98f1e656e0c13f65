"""Make GlusterFS volumes: peers, bricks, who may mount. No brick is made over anybody's data."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlws.config.addresses import hosts_file
from dlws.config.volumes import Volume, volumes
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.nodes.outcomes import raise_failures
from dlws.roles import apply
from dlws.roles.carry import Carriers
from dlws.shell.quoting import script, sh
from dlws.storage import glusterxml
from dlws.storage.glusterxml import Made

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

ROLE = "glusterfs-server"
_PATIENCE = 60
_NOTHING = "nothing"


def wanted(cluster: Cluster) -> list[Volume]:
    """The volumes of config.yaml; UsageError where there are none."""
    found = volumes(cluster.config, hosts_file(cluster.directory))
    if not found:
        raise UsageError(
            "config.yaml names no GlusterFS volume on machines of the cluster",
            "write mountpoints: {share1: {type: glusterfs, server: 'MACHINE MACHINE', "
            "filesharename: VOLUME}}",
        )
    return found


def servers(cluster: Cluster, volume: Volume) -> list[Node]:
    return [node for node in cluster.nodes if node.name in volume.bricks]


def gluster(*words: str) -> str:
    """A command line of gluster that asks nothing back."""
    return sh("gluster", "--mode=script", *words)


def create(cluster: Cluster) -> None:
    """Make what is missing of the volumes of config.yaml; UsageError where there are none."""
    make(cluster, wanted(cluster))


def make(cluster: Cluster, found: Sequence[Volume]) -> None:
    """Make what is missing of some volumes."""
    names = {name for volume in found for name in volume.bricks}
    carriers = Carriers(cluster)
    nodes = [node for node in cluster.nodes if node.name in names]
    apply.bring(carriers, nodes, [carriers.role(ROLE)])
    before = len(cluster.run.console.changes)
    for volume in found:
        _create(cluster, volume)
    if len(cluster.run.console.changes) == before and not cluster.run.dry_run:
        cluster.run.console.say("nothing to do: the volumes are there and started")


def _create(cluster: Cluster, volume: Volume) -> None:
    nodes = servers(cluster, volume)
    first, others = nodes[0], nodes[1:]
    live = known(first).get(volume.name)
    _check_bricks(cluster, volume, nodes, live)
    _probe(first, {node.name: volume.bricks[node.name] for node in others})
    if live is None:
        bricks = [f"{volume.bricks[node.name]}:{volume.directory}" for node in nodes]
        words = ("volume", "create", volume.name, "replica", str(len(bricks)), *bricks, "force")
        _change(first, f"made the volume {volume.name} on {' '.join(volume.bricks)}", *words)
    else:
        _check_same(volume, live, nodes)
    allowed = ",".join(volume.clients)
    if live is None or live.options.get("auth.allow") != allowed:
        words = ("volume", "set", volume.name, "auth.allow", allowed)
        _change(first, f"let the cluster's machines alone mount {volume.name}", *words)
    if live is None or not live.started:
        _change(first, f"started the volume {volume.name}", "volume", "start", volume.name)


def known(node: Node) -> dict[str, Made]:
    """The volumes that a node knows; none where it has no gluster yet."""
    result = node.read(gluster("volume", "info", "--xml"), sudo=True, check=False)
    if not result.ok and not result.out.strip():
        if node.dry_run:
            return {}
        raise DeployError(
            f"gluster does not answer: {result.last_words or 'no words'}",
            "look at `journalctl -u glusterd` on that node",
        )
    return glusterxml.volumes(result.text)


def _check_bricks(
    cluster: Cluster, volume: Volume, nodes: Sequence[Node], live: Made | None
) -> None:
    """Refused where a brick's directory holds anything but this volume."""
    own = live.id.replace("-", "") if live else ""

    def one(node: Node) -> str:
        return node.read(script(template("storage/brick.sh"), volume.directory), sudo=True).text

    outcomes = cluster.read_all(nodes, one, "looking at bricks")
    raise_failures(outcomes, cluster.run.options)
    for outcome in outcomes:
        said = (outcome.value or "").strip()
        if said == (f"volume {own}" if live else _NOTHING):
            continue
        if live and said == _NOTHING:
            what = f"is empty, and {volume.name} has had its copy there: is its disk mounted?"
        elif said.startswith("volume "):
            what = "is the brick of another volume"
        else:
            what = "holds something else"
        raise Refused(
            f"{outcome.node.name}: {volume.directory} {what}",
            "move it away once you are sure that nobody needs it, or set glusterfs_bricks",
        )


def _check_same(volume: Volume, live: Made, nodes: Sequence[Node]) -> None:
    bricks = {f"{volume.bricks[node.name]}:{volume.directory}" for node in nodes}
    if set(live.bricks) != bricks:
        raise Refused(
            f"the volume {volume.name} has other bricks: {', '.join(live.bricks)[:300]}",
            "name these machines under server, or another volume; bricks are moved by hand "
            "(gluster volume replace-brick)",
        )


def _probe(first: Node, others: Mapping[str, str]) -> None:
    """Make nodes peers, and wait until all of them are connected."""
    there = _peers(first)
    for name, address in others.items():
        if address not in there:
            _change(first, f"{name} is its peer in GlusterFS", "peer", "probe", address)
    if first.dry_run:
        return
    end = time.monotonic() + _PATIENCE
    while away := [name for name, at in others.items() if not _peers(first).get(at)]:
        if time.monotonic() > end:
            raise DeployError(
                f"{', '.join(away)}: no peer of {first.name} in GlusterFS after {_PATIENCE} s",
                f"see that glusterd runs there and port 24007 is open: {PROGRAM} glusterfs status",
            )
        time.sleep(1)


def _peers(node: Node) -> dict[str, bool]:
    result = node.read(gluster("peer", "status", "--xml"), sudo=True, check=False)
    if node.dry_run and not result.out.strip():
        return {}
    return glusterxml.peers(result.text)


def _change(node: Node, done: str, *words: str) -> None:
    result = node.run(gluster(*words), sudo=True, check=False, title=" ".join(("gluster", *words)))
    if not result.ok:
        raise DeployError(
            f"{node.name}: {' '.join(words[:3])}: {result.last_words or 'no words'}",
            f"see that all its machines are up: {PROGRAM} glusterfs status; then run this again",
        )
    if not node.dry_run:
        node.changed(done)
