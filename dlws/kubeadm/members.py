"""What the API server says of nodes, held against config.yaml before it becomes a route.

A node reports its own addresses, so they are its word: the pods of a member are reached at the
address that config.yaml gives it, and nothing that the API server says leads anywhere else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.config.addresses import is_address, same
from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.kubeadm.survey import Member
from dlws.nodes import endpoint

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def ours(cluster: Cluster, members: Mapping[str, Member]) -> dict[str, Member]:
    """The members that config.yaml has, too."""
    names = [node.name for node in cluster.nodes if node.machine.in_cluster]
    return {name: members[name] for name in names if name in members}


def checked(cluster: Cluster, members: Mapping[str, Member]) -> dict[str, Member]:
    """Our members at their configured addresses; DeployError where one cannot be what it is."""
    if wrong := doubts(cluster, members):
        said = [f"{name}: {why}" for name, why in wrong.items()]
        raise DeployError(
            "\n  ".join(["the pod network was left as it is, for want of trust in nodes", *said]),
            "look at those nodes; correct private-ip in config.yaml where that is wrong, or take "
            f"the node out: {PROGRAM} kubeadm reset {next(iter(wrong))}",
        )
    return sound(cluster, members)


def sound(cluster: Cluster, members: Mapping[str, Member]) -> dict[str, Member]:
    """Our members that nothing speaks against, at the addresses that config.yaml gives them."""
    wrong, known = doubts(cluster, members), ours(cluster, members)
    return {
        node.name: replace(known[node.name], address=endpoint.inner_address(node))
        for node in cluster.nodes
        if node.name in known and node.name not in wrong
    }


def doubts(cluster: Cluster, members: Mapping[str, Member]) -> dict[str, str]:
    """Our members whose address or pod range is not what it should be, and why."""
    known, kubernetes = ours(cluster, members), cluster.config.kubernetes
    pods, length = network(str(kubernetes.pod_cidr)), kubernetes.node_prefix
    configured = {node.name: endpoint.inner_address(node) for node in cluster.nodes}
    wrong = {
        name: why for name, member in known.items() if (why := _of_range(pods, length, member))
    }
    ranges = [(m.pod_cidr, name) for name, m in known.items() if m.pod_cidr and name not in wrong]
    for name, other in _overlaps(ranges):
        wrong[name] = f"its pod range {known[name].pod_cidr} overlaps that of {other}"
    places = {name: _of_address(configured[name], member) for name, member in known.items()}
    return wrong | {name: why for name, why in places.items() if why}


def network(text: str) -> Network | None:
    """The network, where a text is one in its usual spelling."""
    try:
        found = ipaddress.ip_network(text)
    except ValueError:
        return None
    return found if str(found) == text else None


def _of_address(configured: str, member: Member) -> str:
    if not is_address(configured):
        return f"config.yaml gives it no address: add its private-ip ({configured} is a name)"
    if member.address and same(member.address) != same(configured):
        return f"the API server has the address {member.address[:80]!r}, config.yaml {configured}"
    return ""


def _of_range(pods: Network | None, length: int, member: Member) -> str:
    if not member.pod_cidr:
        return ""
    own = network(member.pod_cidr)
    if own and pods and _within(own, pods) and (own.version == 6 or own.prefixlen == length):
        return ""
    wanted = f"a /{length}" if pods and pods.version == 4 else "one"
    return f"its pod range {member.pod_cidr[:80]!r} is not {wanted} inside {pods}"


def _within(inner: Network, outer: Network) -> bool:
    # In IPv6 the length varies with kubeadm's release; a range is never the whole pod network.
    if isinstance(inner, ipaddress.IPv4Network) and isinstance(outer, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(inner, ipaddress.IPv6Network) and isinstance(outer, ipaddress.IPv6Network):
        return inner.subnet_of(outer) and inner.prefixlen > outer.prefixlen
    return False


def _overlaps(ranges: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Each name whose range (all of one family) overlaps another's, with the other."""
    found: list[tuple[str, str]] = []
    last, end = "", -1
    for begin, until, name in sorted((*_span(text), name) for text, name in ranges):
        if begin <= end:
            found += [(name, last), (last, name)]
        if until > end:
            last, end = name, until
    return found


def _span(text: str) -> tuple[int, int]:
    own = ipaddress.ip_network(text)
    return int(own.network_address), int(own.broadcast_address)
