"""What ends the manager's wait for its next pass, by a clock of the test's own."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import create_engine

from jobplatform.manager import wake
from jobplatform.manager.wake import Wake
from jobplatform.store import jobs
from tests.support.platform.managers import Site


class Time:
    """A clock that goes on where somebody waits, and the event that a wait may end by."""

    def __init__(self) -> None:
        self.now = 0.0
        self.set_ = False

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds

    def wait(self, seconds: float) -> None:
        self.sleep(0 if self.set_ else seconds)

    def is_set(self) -> bool:
        return self.set_

    def set(self) -> None:
        self.set_ = True

    def clear(self) -> None:
        self.set_ = False


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    made = Time()
    monkeypatch.setattr(wake, "time", made)
    return made


def waiting(engine: Engine, time: Time) -> Wake:
    return Wake(engine, time)  # type: ignore[arg-type]


def test_without_a_change_it_waits_for_its_second(database: Engine, time: Time) -> None:
    one = waiting(database, time)
    one.wait(0)
    assert time.now == pytest.approx(1)
    one.wait(0)
    assert time.now == pytest.approx(2)
    one.wait(0, 2.0)
    assert time.now == pytest.approx(4)


def test_a_change_of_a_job_ends_the_wait_and_counts_once(database: Engine, time: Time) -> None:
    site, one = Site(database), waiting(database, time)
    number = site.submit()
    one.wait(0)
    assert time.now == 0
    site.ask(number, "killing")
    one.wait(0)
    assert time.now == 0
    one.wait(0)
    assert time.now == pytest.approx(1)


def test_a_change_of_a_pod_ends_the_wait_and_counts_once(database: Engine, time: Time) -> None:
    one = waiting(database, time)
    time.set()
    one.wait(0)
    assert time.now == 0
    one.wait(0)
    assert time.now == pytest.approx(1)


def test_the_database_is_asked_less_often_where_nothing_has_changed_for_long(
    database: Engine, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def latest(connection: object) -> int:
        asked.append(time.now)
        return 0

    monkeypatch.setattr(jobs, "latest", latest)
    one = waiting(database, time)
    one.wait(0, 100.0)
    quick, calm = (sum(begin <= at < begin + 10 for at in asked) for begin in (10, 50))
    assert quick in {99, 100} and calm == 40
    time.set()
    one.wait(0)
    asked.clear()
    one.wait(0)
    assert len(asked) > 10  # as at the beginning: a change comes seldom alone


def test_after_a_long_pass_it_rests_whatever_changes_and_not_for_more_than_a_second(
    database: Engine, time: Time
) -> None:
    one = waiting(database, time)
    for took, rest in ((0.2, 0.4), (30.0, 1.0)):
        before = time.now
        time.set()
        one.wait(took)
        assert time.now - before == pytest.approx(rest)


def test_a_database_that_does_not_answer_is_waited_for(time: Time) -> None:
    nowhere = create_engine("sqlite:////nowhere/at/all")
    waiting(nowhere, time).wait(0)
    assert time.now == pytest.approx(1)
