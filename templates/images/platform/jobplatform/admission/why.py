"""Why a job does not start: the one dominant reason, with its numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jobplatform.admission.room import Room, capacity
from jobplatform.admission.snapshot import UNLIMITED, Amount, Job, Node, Vc
from jobplatform.model.reasons import Reason


def words(job: Job) -> str:
    """What a worker asks for."""
    parts = [f"{job.each.devices} {job.device}"] if job.device else []
    cpu = f"{job.each.cpu / 1000:g}"
    return ", ".join([*parts, f"{cpu} processors", f"{job.each.memory} MiB"])


def over_quota(job: Job, vc: Vc) -> Reason | None:
    """Why it can never start within the quota of its virtual cluster."""
    for kind, wanted in job.costs().items():
        if wanted > vc.limit(kind) and not job.preemptible:
            return quota("over-quota", job, vc, kind, wanted)
    return None


def too_big(job: Job, room: Room) -> Reason | None:
    """Why the nodes, were they all empty, could not take it."""
    nodes = room.usable(job.device)
    if job.device and not nodes:
        return Reason("no-such-device", {"device": job.device})
    fits = capacity((node.size for node in nodes), job.each)
    if fits >= job.workers:
        return None
    if _but_for_pods((node.size for node in nodes), job):
        return Reason("too-many-pods", {"workers": job.workers, "room": fits})
    largest = max((_part(node.size, job) for node in nodes), default=0)
    return Reason(
        "never-fits",
        {"workers": job.workers, "each": words(job), "room": fits,
         "largest": f"{_shown(largest, job)} {_unit(job)}"},
    )  # fmt: skip


def quota(code: str, job: Job, vc: Vc, kind: str, wanted: int, used: int = 0) -> Reason:
    """A reason about a quota. Processors are counted in thousandths and told in whole ones."""
    scale = 1000 if kind == "cpu" else 1
    limit = vc.limit(kind)
    values: dict[str, str | int] = {
        "vc": vc.name, "device": "processors" if kind == "cpu" else kind,
        "wanted": f"{wanted / scale:g}", "quota": f"{limit / scale:g}",
    }  # fmt: skip
    return Reason(code, values if code == "over-quota" else {**values, "used": f"{used / scale:g}"})


def no_room(job: Job, room: Room) -> Reason:
    """Why no gang of this shape fits now, though it would on an empty cluster."""
    nodes = room.usable(job.device)
    inside = [room.free[node.name] for node in nodes if node.name in room.free]
    out = [node for node in nodes if not node.ready]
    wanted = _part(job.each.times(job.workers), job)
    free = sum(max(_part(one, job), 0) for one in inside)
    values: dict[str, str | int] = {
        "wanted": _shown(wanted, job), "device": _unit(job), "free": _shown(free, job)
    }  # fmt: skip
    if out and capacity((n.size - n.taken for n in out), job.each) + capacity(
        inside, job.each
    ) >= job.workers:  # fmt: skip
        return Reason("nodes-out", {**values, "out": len(out), "names": _names(out)})
    if free < wanted:
        return Reason("cluster-full", values)
    if _but_for_pods(inside, job):
        full = sum(one.pods < job.each.pods for one in inside)
        return Reason("pods-full", {**values, "full": full})
    count = capacity(inside, job.each)
    return Reason("fragmented", {"free": values["free"], "device": values["device"], "room": count,
                                 "workers": job.workers, "each": words(job)})  # fmt: skip


def approval(job: Job, vc: Vc, used: int) -> Reason:
    return Reason("needs-approval", {"used": used, "quota": vc.user_quota or 0, "vc": vc.name,
                                     "wanted": job.each.devices * job.workers})  # fmt: skip


def _but_for_pods(rooms: Iterable[Amount], job: Job) -> bool:
    """Whether it would fit, could nodes run any number of pods."""
    return capacity(rooms, replace(job.each, pods=0)) >= job.workers


def _part(amount: Amount, job: Job) -> int:
    """What is counted: devices, or processors where a job has none."""
    return amount.devices if job.device else amount.cpu


def _shown(count: int, job: Job) -> str:
    return f"{count / (1 if job.device else 1000):g}" if count < UNLIMITED else "any"


def _unit(job: Job) -> str:
    return job.device or "processors"


def _names(nodes: list[Node]) -> str:
    names = [node.name for node in nodes]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
