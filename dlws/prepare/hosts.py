"""deploy/etc/hosts: the names of the nodes, for clusters whose DNS does not know them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
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
_OLD_BEGIN, _OLD_END = "# dlws api server: begin", "# dlws api server: end"
_LOOP = re.compile(r"\s*(127\.|::1|fe00|ff0)")
_LOCAL = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


def names(cluster: Cluster) -> list[str]:
    """What every node gets: a line for each node with an address, and the cluster's own name."""
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
    return found


def lines(cluster: Cluster, node: Node | None = None) -> list[str]:
    """Our lines of a node's /etc/hosts: all names, then the API server's in this node's order."""
    return [*names(cluster), *endpoint.host_lines(cluster, node)]


def merged(old: str, ours: list[str]) -> str:
    """The text of a hosts file with our block replaced or added.

    Other lines stay as they are, but for those that give the name that all API servers share to
    another address: the block of an older dlws, and what was there by hand.
    """
    shared = Counter(name for line in ours for name in line.split()[1:])
    api = {name for name, addresses in shared.items() if addresses > 1}
    block = "\n".join([BEGIN, *ours, END]) + "\n"
    text = _without_old_block(old) or _LOCAL
    if not text.endswith("\n"):
        text += "\n"
    head, begin, rest = text.partition(BEGIN + "\n")
    _, end, tail = rest.partition(END + "\n")
    head, tail = _without(head, api), _without(tail, api)
    # Without its end nobody knows how far our block goes: no line of theirs may be lost.
    return head + block + (tail if end else rest) if begin else head + block


def _rows(text: str) -> list[str]:
    """The lines with the newlines at their ends."""
    return re.split(r"(?<=\n)", text)


def _without_old_block(text: str) -> str:
    """The text without the block of an older dlws, where that has an end."""
    kept, inside, rows = list[str](), False, _rows(text)
    ends = [number for number, row in enumerate(rows) if row.rstrip("\n") == _OLD_END]
    for number, row in enumerate(rows):
        begins = row.rstrip("\n") == _OLD_BEGIN and ends and number < ends[-1]
        inside = inside or bool(begins)
        if not inside:
            kept.append(row)
        inside = inside and row.rstrip("\n") != _OLD_END
    return "".join(kept)


def _without(text: str, names: set[str]) -> str:
    rows = _rows(text)
    return "".join(row for row in rows if not names & set(row.split("#")[0].split()[1:]))


def _row(text: str) -> tuple[str, frozenset[str]]:
    """Address and names of a line; empty ones for a comment."""
    address, *names = text.split("#", maxsplit=1)[0].split() or [""]
    return address, frozenset(names)


def copied(old: str, source: str) -> str:
    """A node's hosts file with the lines of another one that stand outside our block there.

    A line for the same names gets its address. What is about the node itself, such as localhost,
    stays the node's own.
    """
    head, _, rest = source.partition(BEGIN + "\n")
    found = {_row(row)[1]: row.split("#")[0] for row in _rows(head + rest.partition(END + "\n")[2])}
    new = {names: row.split() for names, row in found.items() if names and not _LOOP.match(row)}
    wanted = {names: words[0] for names, words in new.items()}
    head, begin, rest = old.partition(BEGIN + "\n")
    block, end, tail = rest.partition(END + "\n") if END + "\n" in rest else ("", "", rest)
    head, tail = _agreeing(head, wanted), _agreeing(tail, wanted)
    here = {names for _, names in map(_row, _rows(head + tail))}
    if head and not head.endswith("\n"):
        head += "\n"
    added = [f"{' '.join(words)}\n" for names, words in new.items() if names not in here]
    return "".join([head, *added, begin, block, end, tail])


def _agreeing(text: str, wanted: Mapping[frozenset[str], str]) -> str:
    """The text without the lines that give wanted names another address."""
    rows = [(row, *_row(row)) for row in _rows(text)]
    return "".join(row for row, at, names in rows if wanted.get(names, at) == at)


def install(cluster: Cluster, nodes: list[Node], source: str = "") -> int:
    """Bring our lines of /etc/hosts on the nodes up to date; how many nodes that changed.

    Their other lines stay; those of `source`, another hosts file, are added.
    """
    shared = names(cluster)

    def action(node: Node) -> bool:
        seen = node.read(_READ, title="read /etc/hosts").out.decode(errors="replace")
        state, _, old = seen.partition("\n")
        new = merged(copied(old, source), [*shared, *endpoint.host_lines(cluster, node)])
        return (state, old) != (_STATE, new) and node.put(new, "/etc/hosts")

    done = cluster.change_all(nodes, action, "names of the nodes", protect_quorum=True)
    return sum(bool(outcome.value) for outcome in done)


def is_ours(cluster: Cluster, source: Path, destination: str) -> bool:
    """Whether a copy is that of deploy/etc/hosts to where it belongs."""
    ours = (cluster.deploy / "etc/hosts").resolve()
    return destination == "/etc/hosts" and source.resolve() == ours


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
