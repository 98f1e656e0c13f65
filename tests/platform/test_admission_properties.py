"""What holds of the admission's decisions, whatever the cluster looks like."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from jobplatform.admission import Amount, Decision, Job, Node, Snapshot, Vc, decide
from jobplatform.admission.snapshot import State

DEVICES = ("V100", "Ascend910", "")
MANY = settings(max_examples=200, deadline=None, derandomize=True)


def nodes(dice: Random) -> tuple[Node, ...]:
    return tuple(_node(dice, f"n{i}") for i in range(dice.randint(0, 6)))


def _node(dice: Random, name: str) -> Node:
    device = dice.choice(DEVICES)
    size = Amount(dice.randint(1, 8) if device else 0, 16_000, 32_768, dice.choice((3, 110)))
    taken = dice.choice((Amount(), Amount(0, 500, 512, 1)))
    return Node(name, device, size, taken, dice.random() < 0.8, dice.choice(("", "r1", "r2")))


def jobs(dice: Random, found: tuple[Node, ...]) -> Iterator[Job]:
    room = {node.name: node.size - node.taken for node in found}
    for i in range(dice.randint(0, 14)):
        job = _job(dice, f"j{i}")
        where = _fill(job, room, found) if job.state in {"placed", "leaving"} else ()
        yield (
            replace(job, nodes=where)
            if where
            else replace(job, state="unapproved" if job.state == "unapproved" else "queued")
        )


def _job(dice: Random, name: str) -> Job:
    states: tuple[State, ...] = ("unapproved", "queued", "queued", "placed", "placed", "leaving")
    device = dice.choice(DEVICES)
    each = Amount(dice.randint(1, 6) if device else 0, dice.choice((10, 500, 4000, 8000)),
                  dice.choice((16, 1024, 16_384)), 1)  # fmt: skip
    return Job(name, dice.choice("uv"), dice.choice("ab"), dice.choice(states), each, device,
               dice.randint(1, 3), dice.choice((50, 100, 200)), dice.random() < 0.4,
               dice.randint(0, 20))  # fmt: skip


def _fill(job: Job, room: dict[str, Amount], found: tuple[Node, ...]) -> tuple[str, ...]:
    """Where a running job may be, so that no node has more than it holds."""
    left, chosen = dict(room), list[str]()
    for node in (node for node in found if job.device in {"", node.device}):
        while len(chosen) < job.workers and left[node.name].holds(job.each):
            left[node.name] -= job.each
            chosen.append(node.name)
    if len(chosen) < job.workers:
        return ()
    room.update(left)
    return tuple(chosen)


def snapshot_of(seed: int) -> Snapshot:
    """A cluster in some state; the seed says which, so that thousands are made in no time."""
    dice = Random(seed)
    found = nodes(dice)
    vcs = {name: Vc(name, {device: dice.randint(0, 20) for device in DEVICES[:2]},
                    dice.choice((None, 0, 4)), dice.random() < 0.3) for name in "ab"}  # fmt: skip
    return Snapshot(dice.randint(0, 40), tuple(jobs(dice, found)), vcs, found, starvation=10)


def snapshots() -> st.SearchStrategy[Snapshot]:
    return st.integers(0, 2**32).map(snapshot_of)


def used(snapshot: Snapshot, started: set[str]) -> Counter[tuple[str, str]]:
    total: Counter[tuple[str, str]] = Counter()
    for job in snapshot.jobs:
        if not job.preemptible and (job.state in {"placed", "leaving"} or job.id in started):
            for kind, cost in job.costs().items():
                total[job.vc, kind] += cost
    return total


def by_verb(found: list[Decision], verb: str) -> dict[str, Decision]:
    return {one.job: one for one in found if one.verb == verb}


@MANY
@given(snapshots())
def test_quota_is_never_exceeded(snapshot: Snapshot) -> None:
    before = used(snapshot, set())
    after = used(snapshot, set(by_verb(decide(snapshot), "start")))
    for (vc, kind), count in after.items():
        assert count <= max(snapshot.vcs[vc].limit(kind), before[vc, kind])


@MANY
@given(snapshots())
def test_gangs_start_whole_on_ready_nodes_that_hold_them(snapshot: Snapshot) -> None:
    starts = by_verb(decide(snapshot), "start")
    room = {node.name: node.size - node.taken for node in snapshot.nodes}
    device = {node.name: node.device for node in snapshot.nodes if node.ready}
    for job in snapshot.jobs:
        chosen = starts[job.id].nodes if job.id in starts else job.nodes
        if job.id in starts:
            assert len(chosen) == job.workers
            assert all(job.device in {"", device[name]} for name in chosen)
        for name in chosen:
            room[name] -= job.each
    for left in room.values():
        assert min(left.devices, left.cpu, left.memory, left.pods) >= 0


@MANY
@given(snapshots())
def test_no_smaller_job_of_lower_rank_goes_first(snapshot: Snapshot) -> None:
    found = decide(snapshot)
    starts, waits = by_verb(found, "start"), by_verb(found, "wait")
    queued = [job for job in snapshot.jobs if job.state == "queued"]
    for first in (job for job in queued if job.id in waits):
        for second in (job for job in queued if job.id in starts):
            alike = (first.vc, first.user, first.shape) == (second.vc, second.user, second.shape)
            assert not (alike and first.priority > second.priority)


@MANY
@given(snapshots())
def test_the_room_that_borrowers_made_is_not_theirs_again(snapshot: Snapshot) -> None:
    """Where all that were preempted are gone, the next pass gives the room to whom it was made for:
    it does not start them first, and so on for ever."""
    found = decide(snapshot)
    gone = by_verb(found, "preempt")
    after = tuple(replace(job, state="queued", nodes=()) if job.id in gone else job
                  for job in snapshot.jobs)  # fmt: skip
    order = [one.job for one in decide(replace(snapshot, jobs=after)) if one.verb != "approve"]
    known = {job.id: job for job in after}
    ranks = [known[name].preemptible for name in order if known[name].state == "queued"]
    assert ranks == sorted(ranks)


@MANY
@given(snapshots())
def test_each_waiting_job_is_answered_once_with_a_sentence(snapshot: Snapshot) -> None:
    found = decide(snapshot)
    answered = Counter(one.job for one in found if one.verb != "preempt")
    waiting = {job.id for job in snapshot.jobs if job.state in {"unapproved", "queued"}}
    assert answered == Counter(waiting)
    for one in by_verb(found, "wait").values():
        assert one.reason and one.reason.sentence.endswith(".")


@MANY
@given(snapshots())
def test_only_borrowers_are_preempted_and_only_for_others(snapshot: Snapshot) -> None:
    found = decide(snapshot)
    gone = by_verb(found, "preempt")
    known = {job.id: job for job in snapshot.jobs}
    assert all(known[name].preemptible and known[name].state == "placed" for name in gone)
    reasons = [one.reason.code for one in by_verb(found, "wait").values() if one.reason]
    assert not gone or "preempting" in reasons


@MANY
@given(snapshots())
def test_the_order_of_what_is_read_changes_nothing(snapshot: Snapshot) -> None:
    other = replace(snapshot, jobs=snapshot.jobs[::-1], nodes=snapshot.nodes[::-1])
    assert decide(other) == decide(snapshot)
    assert decide(snapshot) == decide(snapshot)


@MANY
@given(snapshots())
def test_a_job_alone_on_an_empty_cluster_starts_or_never_can(snapshot: Snapshot) -> None:
    for job in snapshot.jobs:
        alone = replace(job, state="queued", nodes=())
        empty = tuple(replace(node, ready=True, taken=Amount()) for node in snapshot.nodes)
        (one,) = decide(replace(snapshot, jobs=(alone,), nodes=empty))
        hopeless = {"over-quota", "no-such-device", "never-fits", "too-many-pods"}
        assert one.verb == "start" or (one.reason and one.reason.code in hopeless)
