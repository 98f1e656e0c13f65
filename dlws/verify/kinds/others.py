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
_ASK = """cni_files; lost_routes
getent shadow "$1" | sed -E 's/^[^:]*:[^:]*:[^:]*:[^:]*:([^:]*):[^:]*:[^:]*:([^:]*):.*/age=\\1 \\2/'
exit 0"""
_TAKEN = " (systemd-networkd, as `netplan apply` starts it, takes away what it did not make)"
_ROUTES = """on {node}: sudo systemctl restart dlws-pod-network; where networkd took it, write \
[Network] and ManageForeignRoutes=no to /etc/systemd/networkd.conf.d/dlws.conf there first"""
_FOREIGN = """choose another kubernetes.pod_cidr for the next cluster, or on {node}, if nobody \
needs it: sudo ip route del {other}; sudo systemctl restart dlws-pod-network"""
_NEVER = 99999
"""Days by which /etc/login.defs says that a password does not expire."""


def _expect(cluster: Cluster, node: Node, known: ClusterFacts) -> Iterator[Expectation]:
    yield Expectation("others", node.name, "", (("machines", node.name),))


def _ask(
    cluster: Cluster, node: Node, known: ClusterFacts, wanted: Sequence[Expectation]
) -> Iterator[Question]:
    yield Question("others", script(f"{foreign.functions()}\n{_ASK}", node.user))


def _compare(thing: Expectation, seen: Comparison) -> Found:
    if seen.node.machine.in_cluster and seen.known.joined(seen.node):
        yield from _networks(thing, seen)
        yield from _routes(thing, seen)
    yield from _ageing(thing, seen)


def _networks(thing: Expectation, seen: Comparison) -> Found:
    plugin = seen.cluster.config.kubernetes.network
    if first := foreign.before(plugin, seen.lines("others", "cni")):
        yield Difference(
            "file",
            f"/etc/cni/net.d/{first}",
            "comes before the file of our network plugin: pods get another network, or none",
            (("kubernetes", "network"), *thing.origin),
            cure=f"on {seen.node.name}, if nobody needs it: sudo rm /etc/cni/net.d/{first}",
        )


def _routes(thing: Expectation, seen: Comparison) -> Found:
    taken = _TAKEN if seen.lines("others", "networkd") else ""
    for target, _, other in (row.partition(" ") for row in seen.lines("others", "lost")):
        words, cure = f"of our pod network is not there{taken}", _ROUTES
        if other := other.strip():
            words = f"of our pod network is not there, but one of others: {other}"
            cure = _FOREIGN
        yield Difference(
            "route",
            target,
            words,
            (("kubernetes", "network"), *thing.origin),
            cure=cure.format(node=seen.node.name, other=other),
        )


def _ageing(thing: Expectation, seen: Comparison) -> Found:
    user = seen.node.user
    for days, _, end in (row.partition(" ") for row in seen.lines("others", "age")):
        ages = days.isdecimal() and int(days) < _NEVER
        if ages or end:
            yield Difference(
                "user",
                user,
                f"has a password that expires after {days} days: it locks dlws out, keys too"
                if ages
                else "expires as a whole one day: it locks dlws out, keys too",
                (("admin_username",), *thing.origin),
                cure=f"on {seen.node.name}: sudo chage -m 0 -M -1 -I -1 -E -1 {user}",
            )


KIND = Kind("others", _expect, _compare, _ask)
