"""Serve shares over NFS: data disks first, then the role of the server that config.yaml names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.config.shares import disk_mount
from dlws.core.errors import DeployError, Refused
from dlws.nodes.outcomes import raise_failures
from dlws.nodes.questions import CHECK_FAILED, said
from dlws.roles import apply
from dlws.roles.carry import Carriers
from dlws.scripts import run as scripts
from dlws.scripts.checkmode import asked
from dlws.scripts.script import Script, find
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_ROLES = {"kernel": "nfs-server", "ganesha": "nfs-ganesha"}
_REFUSAL = "state"


def role_of(config: Config) -> str:
    """The role of the server that config.yaml chooses."""
    return _ROLES[config.nfs_server]


def create(cluster: Cluster, patterns: Sequence[str] = ()) -> None:
    """Set up the NFS servers; UsageError where no machine is one, Refused where a disk has data."""
    role = role_of(cluster.config)
    nodes = Carriers(cluster).chosen(role, patterns)
    use_disks(cluster, nodes)
    for other in _ROLES.values():
        if other != role:
            _leave(cluster, nodes, other)
    apply.apply(cluster, role, patterns)


def _leave(cluster: Cluster, nodes: Sequence[Node], role: str) -> None:
    """Take the other server's role away where it is: both would want one port."""
    record = script('[ ! -e "$1" ] || echo yes', f"/var/lib/dlws/roles/{role}/record")

    def one(node: Node) -> bool:
        return node.read(record, sudo=True).text.strip() == "yes"

    outcomes = cluster.read_all(nodes, one, f"looking for the role {role}")
    raise_failures(outcomes, cluster.run.options)
    if having := [outcome.node.name for outcome in outcomes if outcome.value]:
        apply.remove(cluster, role, having)


def use_disks(cluster: Cluster, nodes: Sequence[Node]) -> None:
    """Put the empty disks of data-disk to use, on the path of nfs_disk_mnt of each machine.

    Every disk of every node is looked at before the first one is changed.
    """
    config = cluster.config
    found = {node.name: _script(disk_mount(config, node.machine)) for node in nodes}
    having = [node for node in nodes if found[node.name].args]
    if not config.data_disk or not having:
        return

    outcomes = cluster.read_all(
        having, lambda node: _look(node, config, found[node.name]), "looking at disks"
    )
    raise_failures(outcomes, cluster.run.options)
    _refuse([(o.node.name, *row) for o in outcomes for row in o.value or ()])
    due = [outcome.node for outcome in outcomes if outcome.value]
    cluster.change_all(
        due, lambda node: scripts.run(node, config, found[node.name]), "preparing disks"
    )


def _look(node: Node, config: Config, found: Script) -> list[tuple[str, str, str]]:
    """What the script would change there: kind, what, words; DeployError where it cannot say."""
    result = asked(node, config, found, found.args)
    if result.code not in (0, CHECK_FAILED):
        words = result.last_words or f"exit {result.code}"
        raise DeployError(f"its disks cannot be looked at: {words}", "read the lines above")
    return said(result)


def _script(path: str) -> Script:
    return find("scripts/prepare_vm_disk.sh", ("--mount", path) if path else ())


def _refuse(rows: Sequence[tuple[str, str, str, str]]) -> None:
    refusals = [(node, *words.split("; cure: ", 1)) for node, kind, _, words in rows
                if kind == _REFUSAL]  # fmt: skip
    if refusals:
        lines = "\n".join(f"  {node}: {words[0]}" for node, *words in refusals)
        raise Refused(f"no disk is touched:\n{lines}", refusals[0][-1])
