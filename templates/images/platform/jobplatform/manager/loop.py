"""One pass after the other: look, decide, write, then act.

Where a picture of Kubernetes shows nothing to do, a pass asks it for nothing. Whatever is done was
decided by lists that were asked for in the same pass: a picture may be behind what was done.

What was decided is written before it is done, so a manager that dies at any point leaves either
nothing or something that the next one finds and finishes. Before each object is made, the lease is
looked at: a manager that slept too long makes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone

from sqlalchemy import Engine

from jobplatform.admission import Decision, decide
from jobplatform.kubernetes import Kubernetes, Refused
from jobplatform.manager import machine, ranktable, walls
from jobplatform.manager.homes import Share
from jobplatform.manager.machine import Step
from jobplatform.manager.meters import Meters
from jobplatform.manager.observed import Seen
from jobplatform.manager.picture import KINDS, Shown
from jobplatform.manager.pods import ATTEMPT, JOB, Attempt, objects, rank_table, tombstone
from jobplatform.manager.tombstones import Tombstones
from jobplatform.manager.world import Live, Placement, World, build, person
from jobplatform.model import reasons, status
from jobplatform.model.reasons import Reason
from jobplatform.store import jobs, lease, people, vcs
from jobplatform.store.database import Clock, changing, now, reading

OTHERS = ("services", "configmaps")
LEASE, LEASE_MS = "manager", 8_000
"""A manager that died is followed within 10 seconds."""
BACK_OFF_MS = 60_000
LISTED = 60.0
"""Seconds after which lists are asked for, whatever the picture shows: a watch may be silent."""
_ACTOR = "manager"
_PATIENT = {"evicted", "gang-timeout", "rejected"}
_LEFT = {status.KILLED, status.PAUSED}
_LOG = logging.getLogger("jobplatform")


class LostLease(Exception):
    """Another manager leads now: this one stops where it is."""


class Due(Exception):
    """There is something to do, which has to be decided by lists."""


@contextmanager
def _alone(job: str) -> Iterator[None]:
    """What Kubernetes refuses, or nobody can read, of one job keeps no other from going on: it is
    logged, and tried again with the next pass."""
    try:
        yield
    except (LookupError, Refused, TypeError, ValueError) as error:
        _LOG.warning("job %s cannot go on: %s: %s", job, type(error).__name__, error)


class Manager:
    """A manager. `point(name)` is called where the process might die, for tests that let it;
    `picture` tells what Kubernetes has, or had a while ago. While `seen` is there, a pass looks at
    that alone, and Due ends it where it would do something."""

    def __init__(
        self, engine: Engine, kubernetes: Kubernetes, holder: str, share: Share | None = None,
        point: Callable[[str], None] = lambda name: None,
        picture: Callable[[], Shown | None] = lambda: None,
    ) -> None:  # fmt: skip
        self.engine, self.kubernetes, self.holder = engine, kubernetes, holder
        self.share, self.point, self.picture = share, point, picture
        self.seen: Shown | None = None
        self.listed, self.acted = -LISTED, False
        self.walled: set[str] = set()
        self.meters, self.tombstones = Meters(), Tombstones()

    def turn(self) -> bool:
        """One pass, where this manager leads. What Kubernetes does not answer ends it: nothing is
        concluded from silence."""
        with changing(self.engine) as connection:
            if not lease.take(connection, LEASE, self.holder, LEASE_MS):
                self.meters.follows()
                return False
        if self.acted or not self._nothing_due():  # what was done is seldom done alone
            self.acted = False
            self._pass()
        return True

    def _nothing_due(self) -> bool:
        """Whether a picture that is not behind by its own account shows nothing to do."""
        listed_lately = time.monotonic() - self.listed < LISTED
        self.seen = self.picture() if listed_lately else None
        if self.seen is None:
            return False
        try:
            self._pass()
        except Due:
            return False
        finally:
            self.seen = None
        return True

    def _pass(self) -> None:
        world = self._look()
        for row, words in world.broken:
            self._move_row(row, status.ERROR, Reason("refused", {"words": words}))
        if (self._advance_all(world) or world.broken) and self.seen is None:
            world = self._look()
        snapshot = world.snapshot()
        decisions = decide(snapshot)
        for decision in decisions:
            if decision.verb != "wait":
                with _alone(decision.job):
                    self._carry_out(decision, world)
        self._explain_waiting(decisions, world)
        self._sweep(world)
        with reading(self.engine) as connection:
            self.meters.saw(snapshot, jobs.counts(connection))

    def _act(self) -> None:
        """Goes before all that is done, except telling why a job waits: what that says may be
        behind, and is told anew."""
        if self.seen is not None:
            raise Due
        self.acted = True

    def resign(self) -> None:
        """Lead no more. What was begun is finished by the next one, as after a death."""
        with changing(self.engine) as connection:
            lease.leave(connection, LEASE, self.holder)

    def _look(self) -> World:
        """Objects before rows: a job's row may then be newer than its objects, never older."""
        found = self.seen if self.seen is not None else self._lists()
        others = [(kind, one) for kind in OTHERS for one in found[kind]]
        with reading(self.engine) as connection:
            rows = jobs.live(connection)
            known = {row.vcName: vcs.read(row) for row in vcs.rows(connection)}
            return build(now(connection), rows, known, found["pods"], found["nodes"], others)

    def _lists(self) -> Shown:
        """What Kubernetes has now: whatever was done before is in it."""
        found = {kind: self.kubernetes.all(kind, selector) for kind, selector in KINDS.items()}
        self.listed = time.monotonic()
        return found

    def _advance_all(self, world: World) -> bool:
        """Whether anything was done: what was seen may then be no longer so."""
        busy = False
        for one in [one for one in world.live.values() if not one.idle]:
            step = machine.step(one.view(), one.pods, world.now)
            busy = busy or replace(step, explain=None) != Step()
            with _alone(one.row.jobId):
                self._advance(one, step, world)
        return busy

    def _advance(self, one: Live, step: Step, world: World) -> None:
        if (step.drained or step.to in _LEFT) and self._bury(one):
            return
        if step.to is not None:
            if not self._move(one, step, world.now):
                return
        elif step.drained:
            self._place(one, replace(one.placement, nodes=(), draining=False))
        made = not step.make or self._make(one)
        if made and step.explain is not None:
            self._explain(one, step.explain)
        if step.delete:
            self._delete(one.pods)
        elif one.row.jobStatus in status.PLACED and one.placement.resource in ranktable.RESOURCES:
            self._rank(one, world)

    def _rank(self, one: Live, world: World) -> None:
        """Give the workers their rank table, once it is known which devices all of them have."""
        npus = {pod.worker: pod.npus for pod in one.pods if pod.attempt == one.row.attempt}
        found = [npus.get(index, ()) for index in range(one.request.workers)]
        if any(len(devices) != one.request.devices for devices in found):
            return
        attempt = self._attempt(one)
        names = {made["metadata"]["name"] for _, made in world.others}
        if attempt.ranked not in names:
            self._check_lease()
            self.kubernetes.create("configmaps", attempt.namespace, rank_table(attempt, found))

    def _bury(self, one: Live) -> bool:
        """Take the names of workers that the attempt never made, so that no old leader makes them
        when another attempt runs. True: there were some, and the next pass looks again."""
        made = {pod.worker for pod in one.pods if pod.attempt == one.row.attempt}
        missing = set(range(one.request.workers)) - made
        if not one.placement.nodes or not missing:
            return False
        attempt = self._attempt(one)
        for index in sorted(missing):
            self._check_lease()
            self.kubernetes.create("pods", attempt.namespace, tombstone(attempt, index))
            self.kubernetes.delete("pods", attempt.namespace, attempt.worker(index))
        return True

    def _move(self, one: Live, step: Step, at: int) -> bool:
        self._act()
        to, values = str(step.to), dict[str, object]()
        if to == status.RUNNING:
            values["startedAt"] = at
        if to in status.ENDED:
            values["endedAt"] = at
        if to == status.QUEUED:
            again = at + BACK_OFF_MS if step.reason and step.reason.code in _PATIENT else 0
            later = replace(one.placement, draining=True, not_before=again)
            values |= {"placement": later.stored(), "startedAt": None, "approved": 1,
                       "retries": (one.row.retries or 0) + step.retry}  # fmt: skip
        if to in {status.PAUSED, status.KILLED}:
            values["placement"] = None
        self.point("before-move")
        with changing(self.engine) as connection:
            reason = step.reason or _kept(one, to)
            moved = jobs.move(connection, one.row, to, _ACTOR, reason, **values)
        self.point("after-move")
        if moved:
            self.meters.moved(one.row, to, at, one.placement.at, reason)
        return moved

    def _move_row(self, row: jobs.Job, to: str, reason: Reason) -> None:
        self._act()
        with changing(self.engine) as connection:
            jobs.move(connection, row, to, _ACTOR, reason, endedAt=Clock())
        self.meters.moved(row, to, 0, 0, reason)

    def _place(self, one: Live, where: Placement) -> None:
        """Write another placement; the state stays."""
        self._act()
        with changing(self.engine) as connection:
            jobs.move(connection, one.row, one.row.jobStatus, _ACTOR, _kept(one, ""),
                      placement=where.stored())  # fmt: skip

    def _explain(self, one: Live, reason: Reason) -> None:
        if one.row.reason != reason.stored():
            with changing(self.engine) as connection:
                jobs.explain(connection, one.row, reason)

    def _explain_waiting(self, decisions: Iterable[Decision], world: World) -> None:
        """Write why jobs wait, where it is something else than what stands there."""
        texts = dict[int, str]()  # jobs of one shape share the very object
        told = [(world.live[one.job].row, _text(texts, one.reason)) for one in decisions
                if one.verb == "wait" and one.reason]  # fmt: skip
        if any(row.reason != text for row, text in told):
            with changing(self.engine) as connection:
                jobs.explain_all(connection, told)

    def _carry_out(self, decision: Decision, world: World) -> None:
        self._act()
        one = world.live[decision.job]
        if decision.verb == "approve":
            with changing(self.engine) as connection:
                jobs.move(connection, one.row, status.QUEUED, _ACTOR)
        elif decision.verb == "preempt":
            step = Step(status.QUEUED, decision.reason, delete=True)
            if self._move(one, step, world.now):
                self._delete(one.pods)
        elif decision.verb == "start":
            self._start(one, decision.nodes, world)

    def _start(self, one: Live, nodes: tuple[str, ...], world: World) -> None:
        """Write the attempt and where it goes, then make its objects; or let the next pass."""
        boots = tuple(world.boots.get(name, "") for name in nodes)
        where = Placement(nodes, world.now, world.resources.get(nodes[0], ""), boots=boots)
        self.point("before-start")
        with changing(self.engine) as connection:
            started = jobs.move(
                connection, one.row, status.SCHEDULING, _ACTOR, attempt=one.row.attempt + 1,
                placement=where.stored(),
            )  # fmt: skip
        self.point("after-start")
        if started:
            self.meters.moved(one.row, status.SCHEDULING, world.now, 0, None)
            with reading(self.engine) as connection:
                row = jobs.find(connection, one.row.jobId)
            if row is not None and row.jobStatus == status.SCHEDULING:
                self._make(Live(row, one.request, where))

    def _make(self, one: Live) -> bool:
        """Make what is missing, and whether it could be. A name that is taken is this attempt's
        own, from before."""
        self._act()
        try:
            attempt = self._attempt(one)
            if not self._housed(one, attempt):
                return False
            self._wall(attempt.request.vc)
            for kind, made in objects(attempt):
                self._check_lease()
                self.point(f"before-create-{kind}")
                self.kubernetes.create(kind, attempt.namespace, made)
                self.point(f"after-create-{kind}")
        except (Refused, ValueError) as error:
            reason = Reason("refused", {"words": str(error)[:500]})
            self._move(one, Step(status.ERROR, reason, delete=True), self._now())
            return False
        return True

    def _housed(self, one: Live, attempt: Attempt) -> bool:
        """Whether the directories on the share are there; a share that is away is waited for."""
        if not self.share:
            return True
        try:
            if self.share.there:
                self.share.prepare(attempt.person, attempt.folder)
                return True
            words = "it is not mounted where the manager runs"
        except OSError as error:
            words = str(error.strerror or error)[:200]
        self._explain(one, Reason("share", {"words": words}))
        return False

    def _attempt(self, one: Live) -> Attempt:
        row = one.row
        with reading(self.engine) as connection:
            found = people.identity_of(connection, row.userName)
        who = person(row.userName, people.alias(row.userName), found)
        day = datetime.fromtimestamp((row.queuedAt or 0) / 1000, timezone.utc).strftime("%y%m%d")
        return Attempt(
            row.jobId, row.attempt, who, one.request, one.placement.nodes, one.placement.resource,
            self.share.claim if self.share else "", f"jobfiles/{day}/{row.jobId}",
        )  # fmt: skip

    def _wall(self, vc: str) -> None:
        if vc not in self.walled:
            share = (self.share.claim, self.share.on_nodes) if self.share else ()
            for kind, space, made in walls.around(vc, *share):
                self._check_lease()
                self.kubernetes.create(kind, space, made)
            self.walled.add(vc)

    def _check_lease(self) -> None:
        self._act()
        with changing(self.engine) as connection:
            if not lease.keep(connection, LEASE, self.holder, LEASE_MS):
                self.meters.follows()
                raise LostLease(self.holder)

    def _now(self) -> int:
        with reading(self.engine) as connection:
            return now(connection)

    def _delete(self, pods: list[Seen]) -> None:
        for pod in pods:
            if not pod.gone and not pod.deleting:
                self._act()
                self.point("before-delete")
                self.kubernetes.delete("pods", pod.namespace, pod.name)
                self.point("after-delete")

    def _sweep(self, world: World) -> None:
        """End what no live attempt owns; let go of names whose time as tombstones is over."""
        pods = [*world.strays, *(pod for one in world.live.values() for pod in one.pods)]
        old = [pod for pod in pods if not _current(world, pod)]
        self._delete([pod for pod in old if not pod.gone])
        for pod in self.tombstones.over([pod for pod in old if pod.gone], world.now):
            self._act()
            self.point("before-release")
            self.kubernetes.release(pod.namespace, pod.name)
            self.point("after-release")
            self.kubernetes.delete("pods", pod.namespace, pod.name)
        for kind, found in world.others:
            meta = found["metadata"]
            one = world.live.get(meta["labels"][JOB])
            if one is None or str(one.row.attempt) != meta["labels"].get(ATTEMPT):
                self._check_lease()
                self.kubernetes.delete(kind, meta["namespace"], meta["name"])


def _text(known: dict[int, str], reason: Reason) -> str:
    """A reason as it is stored, made once for each object; they outlive what is known of them."""
    text = known.get(id(reason))
    if text is None:
        text = known[id(reason)] = reason.stored()
    return text


def _current(world: World, pod: Seen) -> bool:
    one = world.live.get(pod.job)
    return one is not None and one.row.attempt == pod.attempt


def _kept(one: Live, to: str) -> Reason | None:
    """The reason that stands there stays where it says more: who stopped it, or why it was."""
    return reasons.read(one.row.reason) if to != status.RUNNING else None
