"""The pass over all jobs: approve, start, keep waiting with a reason, preempt."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator

from jobplatform.admission import why
from jobplatform.admission.room import Room
from jobplatform.admission.snapshot import Decision, Job, Snapshot, Vc
from jobplatform.model.reasons import Reason

_HOPELESS = {"over-quota", "no-such-device", "never-fits", "too-many-pods"}


def decide(snapshot: Snapshot) -> list[Decision]:
    """What is to become of each waiting job, in the order in which they come first; and of those
    that have to make room."""
    return list(_Pass(snapshot).run())


class _Pass:
    """What changes while the jobs are gone through."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        self.room = Room(snapshot)
        self.used: Counter[tuple[str, str]] = Counter()
        self.by_user: Counter[tuple[str, str]] = Counter()
        self.shares: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self.blocked: dict[str, str] = {}
        self.reserved: set[str] = set()
        self.no_room: dict[object, Reason] = {}
        self.too_big: dict[object, Reason | None] = {}
        for job in snapshot.jobs:
            if job.state in {"placed", "leaving"}:
                self._count(job)
            if job.state != "unapproved":
                self._count_user(job)
        self.preemptible = _newest(snapshot)
        self.leaving = sum(job.state == "leaving" for job in snapshot.jobs)

    def run(self) -> Iterator[Decision]:
        yield from self._approve()
        for job in self._in_order():
            yield from self._one(job)

    def _approve(self) -> Iterator[Decision]:
        """A job within its user's quota, or one that may be preempted, needs nobody's word."""
        waiting = (job for job in self.snapshot.jobs if job.state == "unapproved")
        for job in sorted(waiting, key=lambda job: job.came):
            vc, used = self._vc(job), self.by_user[job.vc, job.user]
            wanted = job.each.devices * job.workers
            if job.preemptible or vc.user_quota is None or used + wanted <= vc.user_quota:
                self._count_user(job)
                yield Decision(job.id, "approve")
            else:
                yield Decision(job.id, "wait", reason=why.approval(job, vc, used))

    def _in_order(self) -> Iterator[Job]:
        """By rank, then the user with the smallest share of the virtual cluster, then time. A
        user's next job is looked at only after the one before, so that shares are true."""
        lines: dict[tuple[str, str], list[Job]] = defaultdict(list)
        for job in self.snapshot.jobs:
            if job.state == "queued":
                lines[job.vc, job.user].append(job)
        for line in lines.values():
            line.sort(key=_rank, reverse=True)
        heap = [self._key(line[-1]) for line in lines.values()]
        heapq.heapify(heap)
        while heap:
            *_, vc, user = heapq.heappop(heap)
            line = lines[vc, user]
            yield line.pop()
            if line:
                heapq.heappush(heap, self._key(line[-1]))

    def _key(self, job: Job) -> tuple[bool, int, float, int, int, str, str, str]:
        rank = (job.preemptible, -job.priority)
        return (*rank, self._share(job), *job.came, job.vc, job.user)

    def _share(self, job: Job) -> float:
        """The dominant one: of the kind of which the user has most."""
        vc, has = self._vc(job), self.shares[job.vc, job.user]
        return max((count / max(vc.limit(kind), 1) for kind, count in has.items()), default=0.0)

    def _one(self, job: Job) -> Iterator[Decision]:
        vc = self._vc(job)
        reason = self._never(job, vc) or self._behind(job, vc) or self._over(job, vc)
        if reason is None and job.shape not in self.no_room:
            chosen = self.room.place(job)
            if chosen:
                self._count(job)
                yield Decision(job.id, "start", chosen)
                return
            reason = yield from self._preempt(job)
        reason = reason or self.no_room.get(job.shape) or self._full(job)
        if vc.fifo and reason.code not in _HOPELESS:
            self.blocked.setdefault(job.vc, job.id)
        yield Decision(job.id, "wait", reason=reason)

    def _never(self, job: Job, vc: Vc) -> Reason | None:
        if job.shape not in self.too_big:
            self.too_big[job.shape] = why.too_big(job, self.room)
        return why.over_quota(job, vc) or self.too_big[job.shape]

    def _behind(self, job: Job, vc: Vc) -> Reason | None:
        first = self.blocked.get(job.vc)
        return Reason("behind", {"job": first, "vc": vc.name}) if first else None

    def _over(self, job: Job, vc: Vc) -> Reason | None:
        """Jobs that may be preempted borrow what nobody uses; all others stay in the quota."""
        for kind, wanted in job.costs().items():
            used = self.used[job.vc, kind]
            if not job.preemptible and used + wanted > vc.limit(kind):
                return why.quota("vc-quota", job, vc, kind, wanted, used)
        return None

    def _preempt(self, job: Job) -> Generator[Decision, None, Reason | None]:
        """The decisions by which jobs make room; returned is the reason, where room is made."""
        if job.preemptible:
            return None
        victims: list[Job] = []
        if not self.room.claim(job):
            victims = self.room.victims(job, self.preemptible)
            if not victims:
                return None
            for one in victims:
                self.room.leave(one)
                self.preemptible.remove(one)
                yield Decision(one.id, "preempt", reason=Reason("preempted"))
            self.room.claim(job)
        return Reason("preempting", {"count": len(victims) or self.leaving})

    def _full(self, job: Job) -> Reason:
        """The reason is looked for once for each shape; one that has waited long has what is free
        kept for it, once for each kind of device."""
        self.no_room[job.shape] = reason = why.no_room(job, self.room)
        starved = self.snapshot.now - job.since > self.snapshot.starvation
        if starved and not job.preemptible and job.device not in self.reserved:
            self.reserved.add(job.device)
            self.room.reserve(job)
        return reason

    def _count(self, job: Job) -> None:
        for kind, cost in job.costs().items():
            if not job.preemptible:
                self.used[job.vc, kind] += cost
            if kind != "cpu" or not job.device:
                self.shares[job.vc, job.user][kind] += cost

    def _count_user(self, job: Job) -> None:
        if not job.preemptible:
            self.by_user[job.vc, job.user] += job.each.devices * job.workers

    def _vc(self, job: Job) -> Vc:
        return self.snapshot.vcs.get(job.vc) or Vc(job.vc, {})


def _rank(job: Job) -> tuple[bool, int, tuple[int, int, str]]:
    """Borrowers come last: a job for which they made room has to be there before them."""
    return (job.preemptible, -job.priority, job.came)


def _newest(snapshot: Snapshot) -> list[Job]:
    """Jobs that may be preempted, in the order in which they have to go."""
    placed = (job for job in snapshot.jobs if job.state == "placed" and job.preemptible)
    return sorted(
        placed,
        key=lambda job: (job.priority, -job.since, job.workers * job.each.devices, -job.number,
                         job.id),
    )  # fmt: skip
