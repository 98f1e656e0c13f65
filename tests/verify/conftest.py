"""A world of fakes, and nodes judged by answers that a test makes up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fakes import World
from tests.support.judge import Judge, known_of


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()


@pytest.fixture
def judge(world: World) -> Callable[..., Judge]:
    def make(name: str = "worker01", **changes: Any) -> Judge:
        return Judge(world, known_of(world, **changes), name)

    return make
