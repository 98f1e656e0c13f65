"""deploy/etc/hosts: the names of the nodes, for clusters whose DNS does not know them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.localfiles import write
from dlws.nodes import endpoint
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

BEGIN, END = "# dlws: begin", "# dlws: end"
_READ = "stat -c '%a %U:%G' /etc/hosts && cat /etc/hosts"
_STATE = "644 root:root"
_LOCAL = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


def lines(cluster: Cluster) -> list[str]:
    """A line for each node with an address, the cluster's own name, and the API server's."""
    found = [
        f"{node.address} {node.fqdn} {node.name}"
        if node.fqdn != node.name
        else f"{node.address} {node.name}"
        for node in cluster.nodes
        if node.address != node.fqdn
    ]
    config = cluster.config
    if config.domain and cluster.infra:
        found.append(f"{cluster.first.address} {config.cluster_name}.{config.domain}")
    return found + (endpoint.host_lines(cluster) if cluster.infra else [])


def merged(old: str, ours: list[str]) -> str:
    """The text of a hosts file with our block replaced or added; other lines stay as they are."""
    block = "\n".join([BEGIN, *ours, END]) + "\n"
    text = old or _LOCAL
    if not text.endswith("\n"):
        text += "\n"
    head, begin, rest = text.partition(BEGIN + "\n")
    _, end, tail = rest.partition(END + "\n")
    # Without its end nobody knows how far our block goes: no line of theirs may be lost.
    return head + block + (tail if end else rest) if begin else text + block


def install(cluster: Cluster, nodes: list[Node]) -> None:
    """Bring our lines of /etc/hosts on the nodes up to date; their other lines stay."""
    ours = lines(cluster)

    def action(node: Node) -> bool:
        seen = node.read(_READ, title="read /etc/hosts").out.decode(errors="replace")
        state, _, old = seen.partition("\n")
        new = merged(old, ours)
        return (state, old) != (_STATE, new) and node.put(new, "/etc/hosts")

    cluster.change_all(nodes, action, "names of the nodes", protect_quorum=True)


def generate(cluster: Cluster) -> tuple[Path, bool]:
    """Bring deploy/etc/hosts up to date; its path, and whether that changed it."""
    path = cluster.deploy / "etc/hosts"
    # Lines that are not ours stay as they are, whatever their encoding.
    old = path.read_text(errors="surrogateescape") if path.exists() else ""
    new = merged(old, lines(cluster))
    if new == old:
        return path, False
    made = cluster.run.gate.admit(plan.local(f"write {path}", new))
    if made:
        write(path, os.fsencode(new), 0o644)
    return path, made
