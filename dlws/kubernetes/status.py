"""How the nodes are: one read each, and what the API server says of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from dlws.config.model.roles import in_cluster
from dlws.core import resources
from dlws.core.architecture import architecture
from dlws.core.errors import CheckFailed, DeployError
from dlws.core.nodeset import fold
from dlws.core.text import split_lines
from dlws.kubernetes import api, kubeconfig, systempods
from dlws.kubernetes.answers import has_expired, renewal
from dlws.runs import tables
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node


@dataclass(frozen=True)
class Background:
    """A script that --background left on a node. `ended`: its exit status, `lost`, or nothing."""

    name: str
    pid: str
    ended: str
    log: str


@dataclass(frozen=True)
class Row:
    """One node; `kubernetes` is empty where it has no part in it."""

    node: str
    roles: tuple[str, ...]
    address: str
    reachable: bool = False
    os: str = ""
    architecture: str = ""
    devices: str = ""
    runtime: str = ""
    kubernetes: str = ""
    problems: tuple[str, ...] = ()
    background: tuple[Background, ...] = ()


def parse(row: Row, text: str, wanted: str = "") -> Row:
    """The row filled from what templates/kubernetes/status.sh printed; `wanted`: gpu, npu or ""."""
    pairs = [line[:_LONGEST].partition("=")[::2] for line in split_lines(text)]
    values: dict[str, list[str]] = {}
    for key, value in pairs:
        values.setdefault(key, []).append(value)
    one = {key: items[0] for key, items in values.items()}
    machine = one.get("architecture", "")
    problems = []
    if one.get("kubelet") == "failed":
        problems.append("kubelet failed")
    if wanted in ("gpu", "npu") and wanted not in values:
        problems.append(f"no {wanted} device")
    jobs = tuple(filter(None, map(_background, values.get("background", ())[:_JOBS])))
    problems += [f"{job.name} in the background: {job.ended}" for job in jobs if _bad(job)]
    return replace(
        row,
        reachable=True,
        os=one.get("os", ""),
        architecture=architecture(machine),
        devices=_devices(values),
        runtime=", ".join(values.get("runtime", ())),
        problems=tuple(problems),
        background=jobs,
    )


_JOB = re.compile(r"([A-Za-z0-9._-]+)\|([0-9]{1,10})\|([0-9]{1,3}|lost|)\|(/[^|]+)")
_JOBS, _LONGEST = 100, 500
"""Scripts in the background, and characters of a line, that count: tables have to stay readable."""


def _background(value: str) -> Background | None:
    """The script that a value tells of; None where it makes no sense."""
    found = _JOB.fullmatch(value)
    return Background(*found.groups()) if found else None


def _bad(job: Background) -> bool:
    return job.ended not in ("", "0")


def _devices(values: Mapping[str, Sequence[str]]) -> str:
    """`8 gpu`, or `8 gpu (no driver)` where only the PCI bus knows them; of a sandbox's node,
    `8 gpu (stand-ins)`."""
    words, mark = [], " (stand-ins)" if "stand_ins" in values else ""
    for kind in ("gpu", "npu"):
        count, on_bus = len(values.get(kind, ())), len(values.get(f"pci_{kind}", ()))
        if count or on_bus:
            words.append(f"{count} {kind}{mark}" if count else f"{on_bus} {kind} (no driver)")
    return ", ".join(words)


def collect(cluster: Cluster, nodes: Sequence[Node], wait: float = 0) -> list[Row]:
    """The rows of nodes; `wait`: seconds to give them to become Ready first."""
    text = resources.template("kubernetes/status.sh")

    def look(node: Node) -> Row:
        row = Row(node.name, tuple(node.roles), node.address)
        return parse(row, node.read(script(text, node.user), sudo=True).text, node.machine.type)

    live, says, pods = _live(cluster, nodes, wait)
    rows = []
    for outcome in cluster.read_all(nodes, look, "status"):
        node = outcome.node
        error = outcome.error.message if outcome.error else ""
        empty = Row(node.name, tuple(node.roles), node.address, problems=(error,))
        row = with_kubernetes(outcome.value or empty, live, says)
        rows.append(replace(row, problems=(*row.problems, *pods.get(node.name, ()))))
    return rows


def _live(
    cluster: Cluster, nodes: Sequence[Node], wait: float
) -> tuple[Mapping[str, api.KubeNode] | None, str, Mapping[str, Sequence[str]]]:
    """The nodes as the API server has them, or None and why it does not tell; and what is wrong
    with the pods of Kubernetes itself there."""
    if not kubeconfig.path(cluster).exists():
        return None, "no cluster yet", {}
    try:
        with api.connect(cluster) as connected:
            if wait:
                members = [node.name for node in nodes if node.machine.in_cluster]
                ready = wait_ready(connected, members, wait)
                return ready, "", systempods.of(connected, time.time())
            return connected.nodes(), "", systempods.of(connected, time.time())
    except DeployError as error:
        return None, error.message, {}


def wait_ready(connected: api.Api, names: Sequence[str], seconds: float) -> dict[str, api.KubeNode]:
    """The nodes once all of `names` are Ready, or after so many seconds."""
    deadline, found = time.monotonic() + seconds, dict[str, api.KubeNode]()
    for live in connected.watch(seconds):
        found[live.name] = live
        ready = all(name in found and found[name].ready for name in names)
        if ready or time.monotonic() > deadline:
            break
    return found


def with_kubernetes(row: Row, live: Mapping[str, api.KubeNode] | None, says: str) -> Row:
    """The row with what the API server says of the node."""
    if not in_cluster(row.roles):
        return row
    if live is None:
        return replace(row, kubernetes="unknown", problems=(*row.problems, *_why(says)))
    node = live.get(row.node)
    if node is None:
        return replace(row, kubernetes="not joined", problems=(*row.problems, "not joined"))
    state = f"{'Ready' if node.ready else 'NotReady'}{', cordoned' if node.cordoned else ''}"
    problems = row.problems if node.ready else (*row.problems, f"NotReady: {node.message}")
    return replace(row, kubernetes=f"{state} {node.version}".strip(), problems=problems)


def _why(says: str) -> list[str]:
    """The first line of why the API server tells nothing, and how that ends where it is known."""
    first = split_lines(says)[:1]
    return [f"{line}; {renewal()}" if has_expired(line) else line for line in first]


def healthy(rows: Sequence[Row]) -> bool:
    return not any(row.problems for row in rows)


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps({"healthy": healthy(rows), "nodes": [asdict(row) for row in rows]}, indent=2)


COLUMNS = (
    "node",
    "roles",
    "address",
    "reachable",
    "os",
    "arch",
    "devices",
    "kubernetes",
    "problems",
)


def cells(row: Row) -> tuple[str, ...]:
    return (
        row.node,
        ",".join(row.roles),
        row.address,
        "yes" if row.reachable else "no",
        row.os,
        row.architecture,
        row.devices,
        row.kubernetes,
        "; ".join(row.problems),
    )


def plain(rows: Sequence[Row]) -> str:
    """The table for files and pipes."""
    return tables.plain(COLUMNS, list(map(cells, rows)))


def jobs(rows: Sequence[Row]) -> list[str]:
    """A line for each script that was left in the background."""
    return [
        f"{row.node}: {job.name} {f'ended: {job.ended}' if job.ended else 'running'}, "
        f"pid {job.pid}, log {job.log}"
        for row in rows
        for job in row.background
    ]


def check(cluster: Cluster, nodes: Sequence[Node], wait: float = 0, as_data: bool = False) -> None:
    """Show the nodes; raises CheckFailed if anything is wrong with any of them."""
    rows = collect(cluster, nodes, wait)
    if as_data:
        cluster.run.console.data(as_json(rows))
    else:
        show(cluster, rows)
    if ill := [row.node for row in rows if row.problems]:
        raise CheckFailed(f"not all is well: {fold(ill)}")


def show(cluster: Cluster, rows: Sequence[Row]) -> None:
    """Print the table, nodes with problems in red."""
    ill = {row.node for row in rows if row.problems}
    tables.show(cluster.run.console, COLUMNS, list(map(cells, rows)),
                lambda row: ["red" if row[0] in ill else ""] * len(row))  # fmt: skip
    for line in jobs(rows):
        cluster.run.console.data(line)


def display(nodes: Sequence[Node]) -> dict[str, list[dict[str, Any]]]:
    """The nodes by role, from the configuration alone."""
    roles: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        for role in node.roles:
            machine = {"name": node.name, "fqdn": node.fqdn, "address": node.address}
            devices = {"architecture": node.machine.archtype, "type": node.machine.type}
            roles.setdefault(role, []).append({**machine, **devices})
    return roles
