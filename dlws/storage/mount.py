"""Mount shares, link them, unmount them, and take all of it away. No data is ever deleted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.config.mounts import incomplete
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.nodes.outcomes import raise_failures
from dlws.roles import apply
from dlws.roles.carry import Carriers, ordered
from dlws.shell.quoting import script, sh
from dlws.storage.members import mounts_on

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_MOST, _LONGEST = 20, 300
"""Of what a node says is mounted: lines, and characters of one."""
PACKAGES, MOUNTS, LINKS = "mount-packages", "mounts", "mount-links"


def bring(cluster: Cluster, roles: Sequence[str], patterns: Sequence[str] = ()) -> None:
    """Bring roles to the nodes that mount shares, all of them at once."""
    refuse_incomplete(cluster.config)
    carriers = Carriers(cluster)
    nodes = carriers.chosen(MOUNTS, patterns)
    _tell_of_stand_ins(carriers, nodes)
    names = ordered(roles, carriers.roles) if MOUNTS in roles else roles
    apply.bring(carriers, nodes, [carriers.role(name) for name in names])


def _tell_of_stand_ins(carriers: Carriers, nodes: Sequence[Node]) -> None:
    """Nobody shall take a rehearsal's directory for the share itself."""
    mounts = {mount.name: mount for node in nodes for mount in mounts_on(carriers, node)}
    for mount in mounts.values():
        if mount.stands_for:
            carriers.cluster.run.console.say(
                f"{mount.name}: a directory of this rehearsal stands in for {mount.stands_for} "
                f"({mount.type}): {mount.what}"
            )


def refuse_incomplete(config: Config) -> None:
    """UsageError where nodes are asked to mount a share that lacks a value."""
    for name, words, cure in incomplete(config):
        raise UsageError(
            f"mountpoints.{name} in config.yaml cannot be mounted: {words}",
            f"{cure}; or autoshare: false, if nodes are not to mount it",
        )


def stop(cluster: Cluster, patterns: Sequence[str] = ()) -> None:
    """Unmount the shares until they are started again, or the node is."""
    carriers = Carriers(cluster)

    def one(node: Node) -> int:
        mounts = [mount for mount in mounts_on(carriers, node) if mount.mounted]
        # The mount first: an automount that goes detaches what is mounted on it, busy or not.
        units = [f"{mount.unit}{kind}" for mount in mounts for kind in (".mount", ".automount")]
        active = [unit for unit in units if unit in _active(node, units)]
        for unit in active:
            _stop(node, unit)
        return len(active)

    outcomes = cluster.change_all(carriers.chosen(MOUNTS, patterns), one, "unmounting")
    if not any(outcome.value for outcome in outcomes):
        cluster.run.console.say("nothing to do: no share is mounted on these nodes")


def _active(node: Node, units: Sequence[str]) -> set[str]:
    """Those of the units that are active."""
    if not units:
        return set()
    answer = node.read(sh("systemctl", "is-active", "--", *units), check=False).text
    states = split_lines(answer)
    if len(states) != len(units):
        raise DeployError(f"asked for {len(units)} units, got {answer[:200]!r}")
    return {unit for unit, state in zip(units, states, strict=True) if state == "active"}


def _stop(node: Node, unit: str) -> None:
    result = node.run(sh("systemctl", "stop", "--", unit), sudo=True, check=False)
    if not result.ok:
        raise DeployError(
            f"{unit} cannot be stopped: {result.last_words or 'no words'}",
            "end what uses it (lsof or fuser -vm on that node name it), then run this again",
        )
    if not node.dry_run:
        node.changed(f"stopped {unit}")


def clean(cluster: Cluster, patterns: Sequence[str] = ()) -> None:
    """Take units, links and empty mount points away; Refused while anything is mounted there."""
    _refuse_mounted(cluster, cluster.select(patterns))
    for role in (LINKS, MOUNTS):
        apply.remove(cluster, role, patterns)


def _refuse_mounted(cluster: Cluster, nodes: Sequence[Node]) -> None:
    carriers = Carriers(cluster)

    def one(node: Node) -> list[str]:
        places = [mount.where for mount in mounts_on(carriers, node) if mount.mounted]
        if not places:
            return []
        said = split_lines(node.read(script(template("storage/mounted.sh"), *places)).text)
        return [line[:_LONGEST] for line in said[:_MOST]]

    outcomes = cluster.read_all(nodes, one, "looking for what is mounted")
    raise_failures(outcomes, cluster.run.options)
    lines = [f"  {o.node.name}: {line}" for o in outcomes for line in o.value or ()]
    if lines:
        raise Refused(
            "\n".join(["there are mounts, so that nothing is cleaned up:", *lines]),
            f"unmount them: {PROGRAM} mount stop",
        )
