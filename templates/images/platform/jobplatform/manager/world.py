"""What the manager sees in one pass: rows and objects, put together for the pure functions."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from jobplatform.admission import Amount, Job, Node, Snapshot, Vc
from jobplatform.admission.snapshot import State
from jobplatform.manager import devices, observed
from jobplatform.manager.machine import View
from jobplatform.manager.observed import Object, Seen
from jobplatform.manager.pods import Person
from jobplatform.model import names, status
from jobplatform.model.request import Request, read

_ALIAS = re.compile(r"[a-z0-9][a-z0-9._+-]{0,63}")
LOWEST = 1000
"""Numbers below are the system's: no job has them, whatever the table says."""


@dataclass(frozen=True)
class Placement:
    """The column of that name: where the workers of the current attempt are, and since when.
    `boots`: what each worker's node called its start at that time."""

    nodes: tuple[str, ...] = ()
    at: int = 0
    resource: str = ""
    draining: bool = False
    not_before: int = 0
    boots: tuple[str, ...] = ()

    def stored(self) -> str:
        return json.dumps(self.__dict__)


asked = lru_cache(maxsize=20_000)(read)
"""What a stored text asks for: the same text is read in each pass."""


@lru_cache(maxsize=20_000)
def placement(text: str | None) -> Placement:
    found = json.loads(text or "{}")
    rows = {name: tuple(found.get(name, ())) for name in ("nodes", "boots")}
    return Placement(**{**found, **rows})


@dataclass
class Live:
    """A job that has not ended: its row, what it asks for, and its pods."""

    row: Any
    request: Request
    placement: Placement
    pods: list[Seen] = field(default_factory=list)

    @property
    def idle(self) -> bool:
        """Whether it only waits: for the admission, or for a person."""
        return self.row.jobStatus in status.WAITING and not self.placement.draining

    def view(self) -> View:
        row = self.row
        return View(
            row.jobId, row.jobStatus, row.attempt, row.retries or 0, self.request,
            self.placement.at, row.startedAt, self.placement.draining,
        )  # fmt: skip

    def state(self, now: int) -> State | None:
        """What the admission has to know of it; None: it holds nothing and waits for nothing."""
        row = self.row
        if row.jobStatus in status.PLACED:
            return "placed"
        if self.placement.nodes and (row.jobStatus in status.STOPPING or self.placement.draining):
            return "leaving"
        if row.jobStatus == status.UNAPPROVED:
            return "unapproved"
        ready = row.jobStatus == status.QUEUED and now >= self.placement.not_before
        return "queued" if ready else None


@dataclass
class World:
    """All of it at one moment."""

    now: int
    live: dict[str, Live]
    broken: list[tuple[Any, str]]
    strays: list[Seen]
    others: Sequence[tuple[str, Object]]
    nodes: tuple[Node, ...]
    resources: Mapping[str, str]
    vcs: Mapping[str, Vc]
    boots: Mapping[str, str]

    def snapshot(self) -> Snapshot:
        jobs = (_job(one, state) for one in self.live.values()
                if (state := one.state(self.now)) is not None)  # fmt: skip
        return Snapshot(self.now, tuple(jobs), self.vcs, self.nodes)


def _job(one: Live, state: State) -> Job:
    row, asked = one.row, one.request
    each = Amount(asked.devices, asked.cpu_millis, asked.memory_mib, pods=1)
    nodes = one.placement.nodes if state in {"placed", "leaving"} else ()
    return Job(
        row.jobId, row.userName, row.vcName, state, each, asked.device, asked.workers,
        row.priority, asked.preemptible, row.queuedAt or 0, nodes, row.id,
    )  # fmt: skip


def build(
    now: int, rows: Iterable[Any], vcs: Mapping[str, Vc], pods: Sequence[Object],
    nodes: Sequence[Object], others: Sequence[tuple[str, Object]] = (),
) -> World:  # fmt: skip
    """A world from what was read. A row that nobody can read is told and disturbs no other."""
    live, broken = {}, list[tuple[Any, str]]()
    for row in rows:
        try:
            live[row.jobId] = Live(row, asked(row.jobParams), placement(row.placement))
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError,
                ValueError) as error:  # fmt: skip
            words = f"its row cannot be read: {error}".splitlines()[0]
            broken.append((row, words[:200]))
    alive = {node["metadata"]["name"] for node in nodes if not _out(node)}
    boots = {node["metadata"]["name"]: _boot(node) for node in nodes}
    strays, taken = _sort(live, pods, alive, boots)
    resources = {node["metadata"]["name"]: devices.resource(node) for node in nodes}
    sized = devices.nodes(nodes, taken)
    return World(now, live, broken, strays, others, sized, resources, vcs, boots)


def _sort(
    live: Mapping[str, Live], pods: Sequence[Object], alive: set[str], boots: Mapping[str, str]
) -> tuple[list[Seen], dict[str, Amount]]:
    """Give each job its pods. The others are strays of ended jobs or belong to somebody else;
    both take room of their nodes."""
    strays, taken = list[Seen](), defaultdict[str, Amount](Amount)
    for pod in pods:
        one = observed.seen(pod, alive) if observed.ours(pod) else None
        job = live.get(one.job) if one else None
        if one is not None and job is not None and not _belongs(one, job):
            one = job = None
        if one is not None and job is not None:
            job.pods.append(replace(one, why="node-lost") if _rebooted(one, job, boots) else one)
        elif one is not None:
            strays.append(one)
        counted = job is not None and bool(job.placement.nodes)
        gone = one.gone if one else pod.get("status", {}).get("phase") in {"Succeeded", "Failed"}
        if not counted and not gone:
            taken[pod.get("spec", {}).get("nodeName", "")] += observed.requests(pod)
    return strays, taken


def _belongs(pod: Seen, job: Live) -> bool:
    """Whether it is where the manager makes this job's pods: in its namespace, and a worker of the
    current attempt on its own node. A node can make pods of any name that are bound to itself, and
    says how these do; it must not speak for the workers of other nodes."""
    if pod.namespace != names.namespace(job.request.vc) or not 0 < pod.attempt <= job.row.attempt:
        return False
    nodes = job.placement.nodes
    if pod.attempt < job.row.attempt or not pod.node or not nodes:
        return True
    return pod.node in nodes[pod.worker : pod.worker + 1]


def _rebooted(pod: Seen, job: Live, boots: Mapping[str, str]) -> bool:
    """Whether it failed, and its node has started anew since. Then its exit code says nothing of
    its command: a node that goes down ends all processes, and one that lost power makes one up."""
    if pod.phase != "Failed" or pod.attempt != job.row.attempt:
        return False
    before = job.placement.boots[pod.worker : pod.worker + 1]
    now = boots.get(pod.node, "")
    return bool(now and before and before[0] not in {"", now})


def _boot(node: Object) -> str:
    """What the node calls its start; another one after each."""
    return str(node.get("status", {}).get("nodeInfo", {}).get("bootID", ""))


def _out(node: Object) -> bool:
    """Whether an administrator says that nothing runs there any more."""
    taints = node.get("spec", {}).get("taints") or []
    return any(one.get("key") == "node.kubernetes.io/out-of-service" for one in taints)


def person(name: str, alias: str, row: Any) -> Person:
    """Under whose numbers a job runs; ValueError where nobody may run under them."""
    if row is None:
        raise ValueError(f"{name} has no uid")
    if min(row.uid, row.gid) < LOWEST:
        raise ValueError(f"{name} has a uid or gid below {LOWEST}, which are the system's")
    if not _ALIAS.fullmatch(alias):
        raise ValueError(f"{name} has no name that a home directory may have")
    groups = json.loads(row.groups or "[]")
    numbers = {int(one) for one in groups if str(one).isascii() and str(one).isdigit()}
    return Person(name, alias, row.uid, row.gid, tuple(sorted(n for n in numbers if n >= LOWEST)))
