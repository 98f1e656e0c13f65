"""What is to become of a job, from its row and its pods alone: a pure function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobplatform.manager.observed import Seen
from jobplatform.model import status
from jobplatform.model.reasons import Reason
from jobplatform.model.request import Request

GANG_TIMEOUT = 5 * 60 * 1000
_LATE = 30 * 1000
"""Beyond its time of grace, for a pod that is being deleted."""
_AGAIN = {"evicted", "node-lost", "rejected"}
_TOLD = {"evicted": "nodes-evicted", "rejected": "nodes-rejected"}
"""What a kubelet says it did to a pod, and the reason once all attempts are used."""


@dataclass(frozen=True)
class View:
    """A job as the database has it; times in milliseconds of the database."""

    id: str
    status: str
    attempt: int
    retries: int
    request: Request
    placed_at: int = 0
    started: int | None = None
    draining: bool = False


@dataclass(frozen=True)
class Step:
    """A change of the state, if any; whether missing pods are to be made, and all to be deleted.
    `retry`: one of the job's attempts is used up by it."""

    to: str | None = None
    reason: Reason | None = None
    make: bool = False
    delete: bool = False
    retry: bool = False
    drained: bool = False
    explain: Reason | None = None


def step(job: View, pods: Sequence[Seen], now: int) -> Step:
    """`pods` are all of the job's, of older attempts as well, from a list that succeeded."""
    empty = all(pod.gone for pod in pods)
    if job.status in status.STOPPING:
        to = {status.KILLING: status.KILLED, status.PAUSING: status.PAUSED}[job.status]
        return Step(to=to if empty else None, delete=not empty)
    if job.status == status.QUEUED and job.draining:
        return Step(delete=not empty, drained=empty, explain=_silent(pods, now))
    if job.status not in status.PLACED:
        return Step()
    mine = [pod for pod in pods if pod.attempt == job.attempt]
    return _ended(job, mine) or _late(job, now) or _going(job, mine, now)


def _silent(pods: Sequence[Seen], now: int) -> Reason | None:
    """Why pods are waited for that should have ended by now: nobody knows whether they did."""
    late = (pod for pod in pods if pod.deleting and not pod.gone and now - pod.due > _LATE)
    one = next(late, None)
    return Reason("silent", {"node": one.node, "pod": one.name}) if one else None


def _ended(job: View, pods: Sequence[Seen]) -> Step | None:
    """The end by success, by a failure of the user's, or by that of a node."""
    lost = max((pod for pod in pods if _is_lost(pod)), key=_told, default=None)
    if lost is not None and _told(lost):
        return _again(job, _why_lost(job, lost))  # a worker that fails may have missed it
    failed = next((pod for pod in pods if pod.phase == "Failed" and not _is_lost(pod)), None)
    if lost is None and job.status == status.RUNNING and len(pods) < job.request.workers:
        return _again(job, Reason("node-lost", {"node": "?", "attempt": job.attempt}))
    if failed is not None:
        return Step(status.FAILED, _why_failed(failed), delete=True)
    deciding = [pod for pod in pods if job.request.launch == "all" or pod.worker == 0]
    wanted = job.request.workers if job.request.launch == "all" else 1
    if len(deciding) == wanted and all(pod.phase == "Succeeded" for pod in deciding):
        return Step(status.FINISHED, Reason("finished"), delete=True)
    if lost is not None:
        return _again(job, _why_lost(job, lost))
    return None


def _is_lost(pod: Seen) -> bool:
    """Gone without its own doing: evicted, deleted by somebody else, or its node is."""
    return pod.why in _AGAIN or (pod.deleting and pod.phase not in {"Succeeded", "Failed"})


def _again(job: View, reason: Reason) -> Step:
    if job.retries >= job.request.retries:
        code = _TOLD.get(reason.code, "nodes-lost")
        values = {**reason.values, "attempts": job.attempt}
        return Step(status.FAILED, Reason(code, values), delete=True)
    return Step(status.QUEUED, reason, delete=True, retry=True)


def _told(pod: Seen) -> bool:
    return pod.why in _TOLD


def _why_lost(job: View, pod: Seen) -> Reason:
    node = pod.node or "?"
    if _told(pod):
        return Reason(pod.why, {"node": node, "pod": pod.name, "words": pod.words})
    return Reason("node-lost", {"node": node, "attempt": job.attempt})


def _why_failed(pod: Seen) -> Reason:
    if pod.why == "memory":
        return Reason("memory", {"pod": pod.name})
    if pod.why == "over-limit":
        return Reason("over-limit", {"pod": pod.name, "words": pod.words})
    code = pod.code if pod.code is not None else 1
    if code > 128:
        return Reason("signal", {"pod": pod.name, "signal": code - 128})
    return Reason("exit", {"pod": pod.name, "exit": code})


def _late(job: View, now: int) -> Step | None:
    limit = job.request.max_seconds
    if limit is None or job.started is None or now - job.started <= limit * 1000:
        return None
    return Step(status.KILLING, Reason("time-limit", {"seconds": limit}), delete=True)


def _going(job: View, pods: Sequence[Seen], now: int) -> Step:
    """On its way: made, started, or not started in time."""
    if job.status == status.RUNNING:
        return Step()
    running = sum(pod.phase in {"Running", "Succeeded"} for pod in pods)
    if running == job.request.workers:
        return Step(status.RUNNING)
    wrong = next((pod for pod in pods if pod.why in {"image", "config"}), None)
    if now - job.placed_at > GANG_TIMEOUT:
        return _not_started(job, wrong, running)
    missing = len({pod.worker for pod in pods}) < job.request.workers
    starting = Reason("starting", {"running": running, "workers": job.request.workers})
    if wrong is not None and wrong.why == "image":
        starting = Reason("image-pull", {"image": job.request.image, "words": wrong.words[:500]})
    return Step(make=missing, explain=starting)


def _not_started(job: View, wrong: Seen | None, running: int) -> Step:
    """A wrong image is the user's to mend; a gang of which some ran gives its devices back."""
    if wrong is not None:
        values: dict[str, str | int] = {"words": wrong.words[:500]}
        who = {"image": job.request.image} if wrong.why == "image" else {"pod": wrong.name}
        return Step(status.FAILED, Reason(wrong.why, {**values, **who}), delete=True)
    values = {"running": running, "workers": job.request.workers, "seconds": GANG_TIMEOUT // 1000}
    return Step(status.QUEUED, Reason("gang-timeout", values), delete=True)
