"""What is mounted where, and whether it answers."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from dlws.core.errors import CheckFailed, DeployError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.core.text import columns, split_lines
from dlws.nodes.outcomes import raise_failures
from dlws.roles.carry import Carriers
from dlws.shell.quoting import script
from dlws.storage.members import mounts_on

if TYPE_CHECKING:
    from dlws.config.mounts import Mount
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_NUMBER = re.compile(r"[0-9]{1,18}")
GOOD = ("mounted", "in its place", "waits to be used")


@dataclass(frozen=True)
class Row:
    """A share on a node."""

    node: str
    share: str
    what: str
    where: str
    state: str
    size: int = 0
    free: int = 0


def rows(cluster: Cluster, patterns: Sequence[str] = ()) -> list[Row]:
    """Every share on every node that mounts any."""
    carriers = Carriers(cluster)
    nodes = carriers.chosen("mounts", patterns)

    def one(node: Node) -> list[Row]:
        mounts = mounts_on(carriers, node)
        words = [word for mount in mounts for word in (mount.unit, mount.where)]
        answer = node.read(script(template("storage/status.sh"), *words)).text
        return parsed(node.name, mounts, answer)

    outcomes = cluster.read_all(nodes, one, "looking at shares")
    raise_failures(outcomes, cluster.run.options)
    return [row for outcome in outcomes for row in outcome.value or ()]


def parsed(node: str, mounts: Sequence[Mount], answer: str) -> list[Row]:
    """The rows of a node by what status.sh printed there."""
    lines = [line.split() for line in split_lines(answer)]
    if len(lines) != len(mounts) or not all(
        len(line) == 6 and all(map(_NUMBER.fullmatch, line[3:])) for line in lines
    ):
        raise DeployError(f"asked for {len(mounts)} shares, got {answer[:200]!r}")
    return [_row(node, mount, line) for mount, line in zip(mounts, lines, strict=True)]


def _row(node: str, mount: Mount, line: Sequence[str]) -> Row:
    block, blocks, free = map(int, line[3:])
    if not mount.mounted:
        state = "in its place"
    elif line[0] == "active":
        state = "mounted" if line[2] == "yes" else "does not answer"
    else:
        state = "waits to be used" if line[1] == "active" else "not mounted"
    return Row(node, mount.name, mount.shown, mount.where, state, block * blocks, block * free)


def show(cluster: Cluster, patterns: Sequence[str], output: str) -> None:
    """Print the rows; CheckFailed where a share is not mounted or does not answer."""
    found = rows(cluster, patterns)
    cluster.run.console.data(as_json(found) if output == "json" else table(found))
    bad = [row for row in found if row.state not in GOOD]
    if bad:
        names = ", ".join(f"{row.share} ({row.what}) on {row.node}" for row in bad)
        raise CheckFailed(
            f"not as they should be: {names}",
            f"see that their servers are up, then: {PROGRAM} mount start",
        )


def as_json(found: Sequence[Row]) -> str:
    return json.dumps([asdict(row) for row in found], indent=2, ensure_ascii=False)


def table(found: Sequence[Row]) -> str:
    """A row for each share; nodes on which it is the same are one node set."""
    same: dict[tuple[str, ...], list[str]] = {}
    for row in found:
        cells = (row.share, row.state, _size(row.size), _size(row.free), row.where, row.what)
        same.setdefault(cells, []).append(row.node)
    head = ("NODE", "SHARE", "STATE", "SIZE", "FREE", "WHERE", "WHAT")
    return columns([head, *((fold(nodes), *cells) for cells, nodes in same.items())])


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size else "-"
