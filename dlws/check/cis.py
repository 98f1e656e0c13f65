"""`check --cis`: how far the cluster meets the CIS Kubernetes Benchmark, point by point."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlws.check.cis_points import Facts, judged
from dlws.core import resources
from dlws.core.errors import CheckFailed, DeployError
from dlws.core.nodeset import fold
from dlws.core.terminal_text import visible
from dlws.core.text import split_lines
from dlws.kubernetes import started
from dlws.shell.quoting import chain, script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_COLUMNS = ("RESULT", "NODES", "CIS", "SUBJECT", "FOUND", "WANTED", "CURE")
_SHOWN = 3
"""So many things are named of each point; --output json has all."""
_WIDEST = 200
"""Characters of each of them."""


@dataclass(frozen=True)
class Result:
    """One point on one node; `found` is empty where it is met."""

    node: str
    id: str
    subject: str
    found: tuple[str, ...]
    wanted: str
    cure: str


def check(cluster: Cluster, nodes: Sequence[Node], as_data: bool = False) -> None:
    """Show the points and what is found; raises CheckFailed where one is not met."""
    chosen = [node for node in nodes if node.machine.in_cluster]
    outcomes = cluster.read_all(chosen, results, "check --cis")
    found = [one for outcome in outcomes for one in outcome.value or ()]
    shown = as_json(found) if as_data else table(found)
    hide = cluster.run.console.redactor.text
    text = hide(shown)
    cluster.run.console.data(text if as_data or not sys.stdout.isatty() else _safe(text))
    cluster.raise_failures(outcomes)
    if missed := [one for one in found if one.found]:
        where = fold(sorted({one.node for one in missed}))
        points = len({one.id for one in missed})
        word = "point is" if points == 1 else "points are"
        raise CheckFailed(f"{points} {word} not met: {where}", "do what the column CURE says")


def _safe(text: str) -> str:
    return "\n".join(visible(line, colours=False) for line in split_lines(text))


def results(node: Node) -> list[Result]:
    """What the points say of a node."""
    folder = resources.templates()
    commands = [
        script((folder / name).read_text(), started.LIMIT)
        for name in ("kubernetes/started.sh", "check/cis.sh")
    ]
    text = node.read(chain(*commands), sudo=True, title="check --cis").text
    facts = parse(text, node.machine.is_infra)
    return [
        Result(node.name, point.id, point.subject, tuple(found), point.wanted, point.cure)
        for point, found in judged(facts)
    ]


def parse(text: str, infra: bool) -> Facts:
    """What the two scripts printed; raises DeployError where that makes no sense."""
    pairs = (line.partition("=") for line in split_lines(text))
    values = {key: value for key, _, value in pairs}
    if "kubelet" not in values or (infra and "kube-apiserver" not in values):
        raise DeployError("no Kubernetes is set up here", "check --cis looks at a cluster")
    try:
        modes = _modes(values.get("modes", ""))
    except ValueError as error:
        raise DeployError("its list of files cannot be read") from error
    pods = {
        name: started.flags(name, started.read(name, values[name]))
        for name in started.PODS
        if name in values
    }
    kubelet = started.read("kubelet", values["kubelet"])
    return Facts(pods, kubelet, modes, values.get("provider", ""), infra)


def _modes(text: str) -> Mapping[str, tuple[int, str]]:
    rows = base64.b64decode(text, validate=True).decode(errors="replace").split("\0")[:-1]
    found = {}
    for row in rows:
        mode, _, rest = row.partition(" ")
        owner, _, path = rest.partition(" ")
        found[path] = (int(mode, 8), owner)
    return found


def as_json(found: Sequence[Result]) -> str:
    rows: list[dict[str, Any]] = [
        {**vars(one), "found": list(one.found), "met": not one.found} for one in found
    ]
    met = all(row["met"] for row in rows)
    return json.dumps({"met": met, "points": rows}, indent=2, ensure_ascii=False)


def _cell(text: str) -> str:
    """What a node says, on one line of a modest length."""
    line = " ".join(text[: 4 * _WIDEST].split())
    return line if len(line) <= _WIDEST else f"{line[: _WIDEST - 3]}..."


def table(found: Sequence[Result]) -> str:
    """A row for each point and what is found, equal nodes together; those not met come first."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in found:
        more = f" and {len(one.found) - _SHOWN} more" if len(one.found) > _SHOWN else ""
        says = ("; ".join(map(_cell, one.found[:_SHOWN])) + more) if one.found else "as wanted"
        cure = one.cure if one.found else ""
        result = "failure" if one.found else "ok"
        groups.setdefault((result, one.id, one.subject, says, one.wanted, cure), []).append(
            one.node
        )
    rows = [(key[0], fold(nodes), *key[1:]) for key, nodes in groups.items()]
    rows = [_COLUMNS, *sorted(rows, key=lambda row: row[0] != "failure")]
    rows = [tuple(" ".join(cell.split()) for cell in row) for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
