"""How many workers are to be at work: one pure function, and what holds for it always."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some

from dlws.azure.workers.autoscale import Amount, Decision, Limits, Look, Worker, decide, packed

EACH = Amount(4000, 16384, 1)
LIMITS = Limits(1, 4, 600, 300)
JOB = Amount(1000, 1024, 1)

MANY = settings(max_examples=100, deadline=None, derandomize=True)
amounts = some.builds(Amount, some.integers(0, 5000), some.integers(0, 20000), some.integers(0, 2))
workers = some.builds(Worker, some.uuids().map(str), some.booleans(), some.booleans(), amounts,
                      some.floats(0, 1e5))  # fmt: skip
looks = some.builds(Look, some.lists(workers, max_size=8), some.lists(amounts, max_size=12),
                    some.just(EACH), some.floats(0, 1e5))  # fmt: skip
bounds = some.tuples(some.integers(0, 6), some.integers(0, 6)).map(sorted)
limits = some.builds(lambda pair, idle, cool: Limits(pair[0], pair[1], idle, cool), bounds,
                     some.floats(0, 2000), some.floats(0, 2000))  # fmt: skip


@MANY
@given(looks, limits)
def test_a_worker_with_work_is_never_given_back(look: Look, given: Limits) -> None:
    known = {one.name: one for one in look.workers}
    for name in decide(look, given).back:
        assert known[name].ready and not known[name].busy and known[name].idle >= given.idle


@MANY
@given(looks, limits)
def test_limits_are_kept(look: Look, given: Limits) -> None:
    made, count = decide(look, given), len(look.workers)
    if made.more:
        assert made.more > 0 and count + made.more <= given.most
    if made.back:
        assert count - len(made.back) >= given.least and not made.more
    if look.since_change < given.cool_down:
        assert (made.more, made.back) == (0, ())


@MANY
@given(looks, limits)
def test_no_more_are_made_than_pods_wait_but_for_the_least(look: Look, given: Limits) -> None:
    made, count = decide(look, given), len(look.workers)
    assert made.more <= max(len(look.waiting), given.least - count)


@MANY
@given(looks, limits)
def test_more_work_never_makes_fewer_workers(look: Look, given: Limits) -> None:
    more = Look(look.workers, [*look.waiting, EACH], look.each, look.since_change)
    before, after = decide(look, given), decide(more, given)
    assert after.more >= before.more and len(after.back) <= len(before.back)


@MANY
@given(looks)
def test_what_waits_has_a_place_or_fits_nowhere(look: Look) -> None:
    new, here, hopeless = packed(look)
    assert here <= {one.name for one in look.workers}
    assert hopeless + new <= len(look.waiting)
    assert hopeless == 0 or not all(asked.fits(look.each) for asked in look.waiting)


def worker(name: str, **more: object) -> Worker:
    return Worker(**{"name": name, "ready": True, "busy": False, "room": EACH, **more})  # type: ignore[arg-type]


def look(*has: Worker, waiting: int = 0, since: float = 1e6) -> Look:
    return Look(has, [JOB] * waiting, EACH, since)


def test_work_that_waits_brings_workers_up_to_the_limit() -> None:
    busy = worker("w1", busy=True, room=Amount(3000, 15360, 0))
    assert decide(look(busy, waiting=2), LIMITS).more == 2
    many = decide(look(busy, waiting=9), LIMITS)
    assert (many.more, many.why) == (3, "1 at work, 9 pods wait: 3 more")
    full = [worker(f"w{n}", busy=True, room=Amount()) for n in range(4)]
    assert decide(look(*full, waiting=1), LIMITS).why.endswith("nothing to do, max_workers is 4")


def test_a_worker_that_is_coming_up_is_waited_for() -> None:
    assert decide(look(worker("w1", ready=False), waiting=1), LIMITS).more == 0
    held = worker("w1", ready=False, room=Amount())
    assert decide(look(held, waiting=1), LIMITS).more == 1


def test_idle_workers_go_the_newest_first_and_the_least_stay() -> None:
    idle = [worker(f"w{n}", idle=700.0) for n in range(3)]
    assert decide(look(*idle), LIMITS).back == ("w2", "w1")
    young = [worker("w1", idle=599.0), worker("w2", idle=0.0)]
    assert decide(look(*young), LIMITS) == Decision("2 at work, 0 pods wait: nothing to do")


def test_a_worker_that_waiting_work_fits_on_stays() -> None:
    idle = [worker(f"w{n}", idle=700.0) for n in range(3)]
    assert decide(look(*idle, waiting=1), LIMITS).back == ("w2", "w1")
    assert decide(look(*idle, waiting=2), LIMITS).back == ("w2",)


def test_what_fits_on_no_new_worker_brings_none() -> None:
    huge = Look([], [Amount(devices=8)], EACH, 1e6)
    made = decide(huge, Limits(0, 4, 600, 300))
    assert made.more == 0 and "1 of them fit on no new worker" in made.why


def test_it_cools_down() -> None:
    made = decide(look(waiting=1, since=100.0), LIMITS)
    assert made == Decision("0 at work, 1 pods wait: cooling down for 200 s more")
