"""Images that share layers are pushed so that these are packed once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

import pytest

from dlws.core.errors import DeployError
from dlws.images import work
from dlws.images.work import Work
from tests.support.fakes import Make


class Engine:
    """The first push is over before another of the same bases begins; two more wait for each
    other, so that they have to be at work at a time."""

    def __init__(self, fails: bool = False) -> None:
        self.active, self.most_at_first, self.pushes = 0, 0, list[str]()
        self.fails, self.both, self.lock = fails, threading.Barrier(2), threading.Lock()

    def run(self, *words: str, **more: Any) -> None:
        with self.lock:
            self.active, number = self.active + 1, len(self.pushes)
            self.pushes.append(words[1])
        if number == 0:
            threading.Event().wait(0.3)  # the others would come meanwhile
            self.most_at_first = self.active
            if self.fails:
                raise DeployError("the registry is full")
        elif not self.fails:
            self.both.wait(60)
        self.active -= 1


def pushed(make: Make, engine: Engine) -> list[Any]:
    made: Any = Work(make().cluster, engine, push=True, fresh=False)  # type: ignore[arg-type]
    one: Any = SimpleNamespace(bases=["base"], label="x")
    jobs: list[Any] = [SimpleNamespace(reference=f"r/{name}:1") for name in "abc"]
    with ThreadPoolExecutor(3) as pool:
        return [pool.submit(work._send, made, one, job) for job in jobs]


def test_the_first_of_those_that_share_a_base_goes_alone_and_the_rest_together(make: Make) -> None:
    engine = Engine()
    for done in pushed(make, engine):
        done.result()
    assert engine.most_at_first == 1 and sorted(engine.pushes) == ["r/a:1", "r/b:1", "r/c:1"]


def test_where_the_first_fails_the_next_is_the_first(make: Make) -> None:
    engine = Engine(fails=True)
    failed = [done.exception() for done in pushed(make, engine)]
    assert len(engine.pushes) == 3 and sum(one is not None for one in failed) == 1
    with pytest.raises(DeployError, match="full"):
        raise next(filter(None, failed))
