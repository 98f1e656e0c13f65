"""Workers by the work there is: looked at once, decided once, done once."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dlws.azure import estate, genconfig, power, preflight
from dlws.azure.estate import Machine
from dlws.azure.workers import scaling, workload
from dlws.azure.workers.autoscale import Amount, Decision, Limits, Look, Worker, decide
from dlws.core import localfiles
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import MIB, read
from dlws.database import client as database
from dlws.database import jobs
from dlws.install import elastic
from dlws.kubernetes import objects, scheduling

if TYPE_CHECKING:
    from pathlib import Path

    from dlws.azure.client import Azure
    from dlws.kubernetes.objects import Objects
    from dlws.session import Session

Json = Mapping[str, Any]
_AT_WORK = ("running", "starting")
_MANAGER = "jobmanager2"


@dataclass
class Memory:
    """What is remembered between two runs: when workers were changed, and since when they idle."""

    changed: float
    idle: dict[str, float]


def limits(azure: Azure) -> Limits:
    """Those of the configuration; raises UsageError where it has none."""
    own = azure.section.autoscale
    if own is None:
        raise UsageError("config.yaml has no azure_cluster.autoscale",
                         "add it: autoscale: {min_workers: 0, max_workers: 10}")  # fmt: skip
    return Limits(own.min_workers, own.max_workers, own.idle, own.cool_down)


def status(session: Session, azure: Azure) -> tuple[Look, Decision]:
    """What is seen now, and what a run would do."""
    wanted = limits(azure)
    seen, _ = _seen(session, azure)
    return seen, decide(seen, wanted)


def run(session: Session, azure: Azure) -> None:
    """Add workers, or give idle ones back, where that is due."""
    wanted = limits(azure)
    seen, memory = _seen(session, azure)
    decision = decide(seen, wanted)
    session.console.say(decision.why)
    changed = False
    if decision.more:
        started = scaling.up(azure, azure.section.worker_vm_size, decision.more)
        elastic.take_work_again(session, started)
        elastic.welcome(session, azure)
        changed = True
    elif decision.back:
        changed = _give_back(session, azure, decision.back)
    if not session.options.dry_run:
        _remember(session, Memory(_now() if changed else memory.changed, memory.idle))


def _give_back(session: Session, azure: Azure, names: Sequence[str]) -> bool:
    """Deallocate workers that are idle still once no new work can come to them."""
    cluster = session.cluster
    nodes = cluster.select(names)
    scheduling.cordon(cluster, nodes)
    with objects.connect(cluster) as api:
        pods = workload.by_node(api.list("/api/v1/pods"))
    busy = [name for name in names if any(map(workload.is_work, pods.get(name, ())))]
    if busy:
        session.console.say(f"work has come meanwhile, they stay: {', '.join(busy)}")
        scheduling.uncordon(cluster, [node for node in nodes if node.name in busy])
    going = [one for one in estate.read(azure) if one.name in names and one.name not in busy]
    try:
        if going:
            power.act(azure, going, power.VERBS["deallocate"])
    except DeployError:
        scheduling.uncordon(cluster, [node for node in nodes if node.name not in busy])
        raise
    return bool(going)


def _now() -> float:
    return time.time()


def _seen(session: Session, azure: Azure) -> tuple[Look, Memory]:
    now, before = _now(), _remembered(session)
    workers = [one for one in estate.read(azure) if one.role == "worker"]
    with objects.connect(session.cluster) as api:
        nodes = {one["metadata"]["name"]: one for one in api.list("/api/v1/nodes")}
        pods = api.list("/api/v1/pods")
        waiting = [Amount(*workload.asked(pod)) for pod in pods if workload.waits(pod)]
        waiting += _queued(session, api)
    on, known = workload.by_node(pods), set(session.config.machines)
    each = _each(azure, workers, nodes)
    there = [_worker(one.name, nodes.get(one.name) if one.name in known else None,
                     on.get(one.name, ()), each)
             for one in workers if one.state in _AT_WORK]  # fmt: skip
    quiet = {one.name for one in there if one.ready and not one.busy}
    memory = Memory(before.changed, {name: before.idle.get(name, now) for name in sorted(quiet)})
    aged = [_aged(one, now - memory.idle.get(one.name, now)) for one in there]
    return Look(aged, waiting, each, now - before.changed), memory


def _aged(one: Worker, idle: float) -> Worker:
    return Worker(one.name, one.ready, one.busy, one.room, idle)


def _worker(name: str, node: Json | None, pods: Sequence[Json], each: Amount) -> Worker:
    """A worker that is switched on: one that is not Ready is coming up, and will have its room."""
    busy = any(map(workload.is_work, pods))
    if node and (node.get("spec") or {}).get("unschedulable"):
        return Worker(name, False, busy, Amount())  # somebody holds it: it takes no work
    if not node or not _is_ready(node):
        return Worker(name, False, busy, each)
    room = Amount(*workload.amount(node["status"].get("allocatable") or {}))
    for pod in pods:
        room = Amount(*workload.asked(pod)).taken_from(room)
    return Worker(name, True, busy, room)


def _is_ready(node: Json) -> bool:
    conditions = node["status"].get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _each(azure: Azure, workers: Sequence[Machine], nodes: Mapping[str, Json]) -> Amount:
    """What a new worker has: what one of its size has in Kubernetes, else what Azure says."""
    size = azure.section.worker_vm_size
    for one in workers:
        if one.size.lower() == size.lower() and one.name in nodes:
            return Amount(*workload.amount(nodes[one.name]["status"].get("allocatable") or {}))
    with azure.translated("the sizes cannot be read"):
        has = genconfig.sku(size, preflight.Facts(azure).sizes.get(size.lower(), {}))
    memory = workload.quantity(has.get("memory", 0)) / 2**20
    return Amount(int(has.get("cpu", 0) * 1000), int(memory), int(has.get("gpu", 0)))


def _queued(session: Session, api: Objects) -> list[Amount]:
    """What queued jobs of the job platform ask for: it makes their pods once they have a place."""
    services = api.list("/apis/apps/v1/deployments")
    if not any(one["metadata"]["name"] == _MANAGER for one in services):
        return []
    with database.opened(session.cluster) as opened:
        texts = jobs.queued(opened)
    found: list[Amount] = []
    for text in texts:
        try:
            found += [Amount(*one) for one in workload.of_job(text)]
        except ValueError as error:
            session.console.warn(f"a queued job is not counted: {error}")
    return found


def _place(session: Session) -> Path:
    return session.options.directory / "deploy/autoscale.json"


def _remembered(session: Session) -> Memory:
    place = _place(session)
    if not place.exists():
        return Memory(0, {})
    try:
        return Memory(**json.loads(read(place, MIB)))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{place} cannot be read: {error}", "delete it: idle workers count anew") \
            from None  # fmt: skip


def _remember(session: Session, memory: Memory) -> None:
    localfiles.write(_place(session), json.dumps(asdict(memory), indent=1).encode(), 0o644)
