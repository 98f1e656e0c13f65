"""What a checked configuration amounts to, without its secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlws.config.model.roles import ROLES, WORKER
from dlws.config.problems import Problem, count

if TYPE_CHECKING:
    from dlws.config.model.config import Config
    from dlws.config.reading.load import Inspection


def summary(found: Inspection) -> dict[str, Any]:
    """The answer of `checkconfig --output json`."""
    return {
        "ok": not found.errors,
        "problems": [_problem(problem) for problem in found.problems],
        "cluster": cluster(found.config) if found.config else None,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    names = ("level", "file", "line", "column", "path", "message", "cure")
    return {name: getattr(problem, name) for name in names}


def cluster(config: Config) -> dict[str, Any]:
    kubernetes = config.kubernetes
    return {
        "name": config.cluster_name,
        "domain": config.domain,
        "nodes": len(config.machines),
        "roles": nodes_by_role(config),
        "workers_by_type": _workers_by_type(config),
        "kubernetes": str(kubernetes.version),
        "runtime": config.runtime,
        "network": kubernetes.network,
        "pods": kubernetes.pod_cidr,
        "services": kubernetes.service_cidr,
        "source": kubernetes.source,
    }


def nodes_by_role(config: Config) -> dict[str, list[str]]:
    named = (role for machine in config.machines.values() for role in machine.roles)
    table = {role: [m.name for m in config.with_role(role)] for role in (*ROLES, *named)}
    return {role: names for role, names in table.items() if names}


def _workers_by_type(config: Config) -> dict[str, int]:
    kinds = [machine.type or "cpu" for machine in config.with_role(WORKER)]
    return {kind: kinds.count(kind) for kind in sorted(set(kinds))}


def lines(found: Inspection) -> list[str]:
    """The summary as a person reads it."""
    if found.config is None:
        return [count(found.problems)]
    facts = cluster(found.config)
    kinds = ", ".join(f"{number} {kind}" for kind, number in facts["workers_by_type"].items())
    shown = [f"{facts['name']}: {facts['nodes']} nodes"]
    for role, names in facts["roles"].items():
        note = f" ({kinds})" if role == "worker" else ""
        shown.append(f"  {role:15} {len(names):4}{note}  {_some(names)}")
    shown.append(
        f"  Kubernetes {facts['kubernetes']} from {facts['source']}, {facts['runtime']}, "
        f"{facts['network']}; pods {facts['pods']}, services {facts['services']}"
    )
    return [*shown, count(found.problems)]


def _some(names: list[str]) -> str:
    return " ".join(names[:6]) + (f" ... {names[-1]}" if len(names) > 6 else "")
