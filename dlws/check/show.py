"""Findings as a table for people, as JSON for programs, and as the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from dlws.check import across, rules
from dlws.check.collect import collect
from dlws.check.facts import Facts
from dlws.check.findings import LEVELS, Finding, failures
from dlws.core.errors import CheckFailed
from dlws.core.nodeset import fold
from dlws.nodes.outcomes import Outcome
from dlws.runs import tables

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

COLUMNS = ("result", "nodes", "check", "what", "cure")
CURE = "do what the column cure says, then run check again"
_STYLES = {"failure": "red", "warning": "yellow", "unknown": "dim", "ok": "green"}

Row = tuple[str, str, str, str, str]


def find(all: Sequence[Facts], config: Config) -> list[Finding]:
    """Everything that is wrong, or not known, with these nodes: the worst first."""
    found = [one for facts in all for one in rules.alone(facts, config)]
    found += across.together(all, config)
    return sorted(found, key=lambda one: LEVELS.index(one.level))


def rows(all: Sequence[Facts], findings: Iterable[Finding]) -> list[Row]:
    """A row for each finding, nodes with equal ones together, and one for the nodes without."""
    groups: dict[tuple[str, str, str, str], list[str]] = {}
    for one in findings:
        key = (one.level, one.check, one.what, one.cure)
        groups.setdefault(key, []).append(one.node)
    ill = {node for (level, *_), nodes in groups.items() if level != "unknown" for node in nodes}
    table: list[Row] = [
        (level, fold(nodes), check, " ".join(what.split()), " ".join(cure.split()))
        for (level, check, what, cure), nodes in groups.items()
    ]
    well = [facts.node for facts in all if facts.node not in ill]
    return [*table, ("ok", fold(well), "", _of(all, well), "")] if well else table


def _of(all: Sequence[Facts], names: Sequence[str]) -> str:
    """What the nodes without findings are, in a few words."""
    systems = sorted({f"{f.os_name} {f.architecture}".strip() for f in all if f.node in names})
    return ", ".join(systems)


def as_json(all: Sequence[Facts], findings: Sequence[Finding]) -> str:
    """`healthy`, and the nodes with their findings and a summary of what they are."""
    nodes = [_node(facts, [one for one in findings if one.node == facts.node]) for facts in all]
    known = {facts.node for facts in all}
    others = [_finding(one) for one in findings if one.node not in known]
    told = {"healthy": not failures(findings), "nodes": nodes, "others": others}
    return json.dumps(told, indent=2, ensure_ascii=False)


def _finding(one: Finding) -> dict[str, Any]:
    return asdict(one)


def _node(facts: Facts, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "node": facts.node,
        "address": facts.address,
        "reachable": facts.reached,
        "result": min((one.level for one in findings), key=LEVELS.index, default="ok"),
        "facts": summary(facts),
        "findings": [_finding(one) for one in findings],
    }


def summary(facts: Facts) -> Mapping[str, Any]:
    """What a node is, for programs; nothing where it was not reached."""
    if not facts.reached:
        return {}
    return {
        "os": facts.os_name,
        "architecture": facts.architecture,
        "kernel": facts.kernel,
        "container": facts.container,
        "cores": facts.cores,
        "memory_kib": facts.memory,
        "clock_skew_seconds": facts.skew,
        "disks": [asdict(disk) for disk in facts.disks],
        "machine_id": facts.machine_id,
        "hostname": facts.hostname,
        "host_keys": list(facts.host_keys),
        "gpus": len(facts.nvidia.found),
        "npus": len(facts.huawei.found),
        "ports": {f"{node}:{port}": tried.verdict for (node, port), tried in facts.ports.items()},
    }


def plain(table: Sequence[Row]) -> str:
    """The table for files and pipes."""
    return tables.plain(COLUMNS, table)


class NodesUnfit(CheckFailed):
    """Some nodes are not fit for an installation."""

    def __init__(self, message: str, failed: Sequence[Finding]) -> None:
        super().__init__(message, CURE)
        self.failed = failed

    def only_of(self, nodes: Sequence[Node]) -> bool:
        """Whether each failure is that of one of these nodes."""
        return {one.node for one in self.failed} <= {node.name for node in nodes}

    def outcomes(self, nodes: Sequence[Node]) -> list[Outcome[Any]]:
        """The unfit ones of these nodes, each with all that is wrong there."""
        own = {node.name: [one for one in self.failed if one.node == node.name] for node in nodes}
        return [Outcome(n, error=_unfit(own[n.name])) for n in nodes if own[n.name]]


def _unfit(findings: Sequence[Finding]) -> CheckFailed:
    cures = dict.fromkeys(one.cure for one in findings)
    return CheckFailed("; ".join(one.what for one in findings), "; ".join(cures))


def check(cluster: Cluster, nodes: Sequence[Node], as_data: bool = False) -> None:
    """Check the nodes and show what was found; raises CheckFailed if anything fails."""
    all = collect(cluster, nodes)
    findings = find(all, cluster.config)
    if as_data:
        cluster.run.console.data(as_json(all, findings))
    else:
        tables.show(cluster.run.console, COLUMNS, rows(all, findings),
                    lambda row: [_STYLES[row[0]], "", "", "", ""])  # fmt: skip
        if note := across.shared_password(all, cluster.config):
            cluster.run.console.say(note)
    if failed := failures(findings):
        told = f"{len(failed)} failure{'' if len(failed) == 1 else 's'}"
        raise NodesUnfit(f"{told}: {fold(one.node for one in failed)}", failed)
