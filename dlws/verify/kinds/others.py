"""What others on a node do to what is ours there: another cluster's network, cloud-init, ageing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dlws.check import foreign
from dlws.shell.quoting import script
from dlws.verify.kinds.kind import Kind
from dlws.verify.things import (
    ClusterFacts,
    Comparison,
    Difference,
    Expectation,
    Found,
    Question,
)

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

# $1 is the user who logs in. Of the fields of shadow: MAX (days), and the day when it all ends.
_ASK = """for file in /etc/cni/net.d/*.conf /etc/cni/net.d/*.conflist /etc/cni/net.d/*.json; do
  [ ! -e "$file" ] || echo "cni=${file##*/}"
done
getent shadow "$1" | sed -E 's/^[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):[^:]*:[^:]*:([^:]*):.*/age=\\1 \\2/'
exit 0"""
_NEVER = 99999
"""Days by which /etc/login.defs says that a password does not expire."""


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    yield Expectation("others", node.name, "", (("machines", node.name),))


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    yield Question("others", script(_ASK, node.user))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    node, plugin = seen.node, seen.cluster.config.kubernetes.network
    joined = node.machine.in_cluster and seen.known.joined(node)
    first = foreign.before(plugin, seen.lines("others", "cni")) if joined else ""
    if first:
        yield Difference(
            "file",
            f"/etc/cni/net.d/{first}",
            "comes before the file of our network plugin: pods get another network, or none",
            (("kubernetes", "network"), *thing.origin),
            cure=f"on {node.name}, if nobody needs it: sudo rm /etc/cni/net.d/{first}",
        )
    for days, _, end in (row.partition(" ") for row in seen.lines("others", "age")):
        ages = days.isdecimal() and int(days) < _NEVER
        if ages or end:
            yield Difference(
                "user",
                node.user,
                f"has a password that expires after {days} days: it locks dlws out, keys too"
                if ages
                else "expires as a whole one day: it locks dlws out, keys too",
                (("admin_username",), *thing.origin),
                cure=f"on {node.name}: sudo chage -m 0 -M -1 -I -1 -E -1 {node.user}",
            )


KIND = Kind("others", _expect, _compare, _ask)
