"""How GlusterFS volumes do: peers, bricks, what is to be healed; and healing it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dlws.core.errors import CheckFailed, DeployError
from dlws.core.program import PROGRAM
from dlws.nodes.node import CommandFailed
from dlws.storage import glusterxml
from dlws.storage.glusterfs import gluster, servers, wanted
from dlws.storage.glusterxml import Backlog

if TYPE_CHECKING:
    from dlws.config.volumes import Volume
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_PAUSE = 2
_GOOD = ("served", "heals")
_STARTING = ("Self-heal daemon is not running", "brick op 'Heal' failed")
"""What gluster says while a healing daemon is not there, or has not found all bricks yet (the
latter: github.com/gluster/glusterfs/issues/1954)."""
_PATIENCE = 120
"""Seconds for it to be there: it may say the same of what will never be."""


@dataclass(frozen=True)
class Row:
    """A brick of a volume."""

    volume: str
    node: str
    brick: str
    state: str
    pending: int
    split_brain: int


def rows(cluster: Cluster) -> list[Row]:
    """Every brick of every volume, as the first of its nodes that answers knows it."""
    return [row for volume in wanted(cluster) for row in _rows(cluster, volume)]


def _rows(cluster: Cluster, volume: Volume) -> list[Row]:
    node = _answering(cluster, volume)
    live = glusterxml.volumes(_ask(node, "volume", "info")).get(volume.name)
    started = bool(live and live.started)
    peers = glusterxml.peers(_ask(node, "peer", "status"))
    served = glusterxml.online(_ask(node, "volume", "status", volume.name)) if started else {}
    behind = _behind(node, volume) if started else {}
    found = []
    for name, address in volume.bricks.items():
        brick = f"{address}:{volume.directory}"
        mine = behind.get(brick, Backlog(False, 0, 0))
        state = "no volume" if live is None else "stopped"
        if started:
            state = "served" if served.get(brick) else "not served"
        if name != node.name and not peers.get(address):
            state = "away" if address in peers else "no peer"
        if state == "served" and mine.split:
            state = "split brain"
        elif state == "served" and mine.pending:
            state = "heals"
        found.append(Row(volume.name, name, brick, state, mine.pending, mine.split))
    return found


def _answering(cluster: Cluster, volume: Volume) -> Node:
    says = []
    for node in servers(cluster, volume):
        try:
            result = node.read(gluster("peer", "status", "--xml"), sudo=True, check=False)
        except DeployError as error:
            says.append(f"{node.name}: {error.message}")
            continue
        if result.ok:
            return node
        says.append(f"{node.name}: {result.last_words or 'gluster does not answer'}")
    raise DeployError(
        "\n  ".join([f"no machine of the volume {volume.name} answers", *says]),
        f"start them; if the volume was never made: {PROGRAM} glusterfs create",
    )


def _ask(node: Node, *words: str) -> str:
    return node.read(gluster(*words, "--xml"), sudo=True).text


def _behind(node: Node, volume: Volume) -> dict[str, Backlog]:
    return glusterxml.backlog(_ask(node, "volume", "heal", volume.name, "info", "summary"))


def show(cluster: Cluster, output: str) -> None:
    """Print the rows; CheckFailed where one is not well."""
    found = rows(cluster)
    data = json.dumps([asdict(row) for row in found], indent=2, ensure_ascii=False)
    cluster.run.console.data(data if output == "json" else table(found))
    _check(found)


def _check(found: Sequence[Row]) -> None:
    if bad := [row for row in found if row.state not in _GOOD]:
        names = ", ".join(f"{row.volume} on {row.node} ({row.state})" for row in bad)
        split = any(row.split_brain for row in bad)
        raise CheckFailed(
            f"not as they should be: {names}",
            "decide which copy is right: gluster volume heal VOLUME split-brain (its manual)"
            if split
            else f"see that these machines and glusterd there are up, then: {PROGRAM} glusterfs "
            "create",
        )


def table(found: Sequence[Row]) -> str:
    lines = [("VOLUME", "NODE", "STATE", "TO HEAL", "SPLIT BRAIN", "BRICK")]
    lines += [
        (row.volume, row.node, row.state, str(row.pending), str(row.split_brain), row.brick)
        for row in found
    ]
    wide = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, wide, strict=True)).rstrip()
        for line in lines
    )


def heal(cluster: Cluster, timeout: float) -> None:
    """Start healing and wait; CheckFailed where copies are not the same after that."""
    end, volumes = time.monotonic() + timeout, wanted(cluster)
    _check([row for row in rows(cluster) if row.state != "split brain"])
    for volume in volumes:
        _begin(_answering(cluster, volume), volume, min(end, time.monotonic() + _PATIENCE))
    if cluster.run.dry_run:
        return
    found = rows(cluster)
    with cluster.run.console.status(lambda: f"{_left(found)} entries are to be healed"):
        while _left(found) and time.monotonic() < end:
            time.sleep(_PAUSE)
            found = rows(cluster)
    _check(found)
    if left := _left(found):
        raise CheckFailed(f"{left} entries are still to be healed", "wait, and look again")
    cluster.run.console.say("all copies are the same")


def _begin(node: Node, volume: Volume, end: float) -> None:
    """Start healing. A node that was away serves its brick before its healing daemon runs."""
    while True:
        try:
            command = gluster("volume", "heal", volume.name)
            node.run(command, sudo=True, title=f"heal {volume.name}")
            return
        except CommandFailed as error:
            starts = any(words in error.result.complaint for words in _STARTING)
            if not starts or time.monotonic() >= end:
                raise
        time.sleep(_PAUSE)


def _left(found: Sequence[Row]) -> int:
    return sum(row.pending - row.split_brain for row in found)
