"""Fixtures that start farms; conftest.py gives them to all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.farm.process import Farm

StartFarm = Callable[..., Farm]


@pytest.fixture
def start_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartFarm]:
    """Starts farms with the number of hosts, mode and faults that a test wants."""
    started: list[Farm] = []

    def start(
        hosts: int = 4,
        mode: str = "real",
        faults: Mapping[int, str] | None = None,
        answers: Path | None = None,
    ) -> Farm:
        directory = tmp_path_factory.mktemp("farm")
        started.append(Farm(directory, hosts, mode, faults, answers))
        return started[-1]

    yield start
    for farm in started:
        farm.stop()


@pytest.fixture
def farm(start_farm: StartFarm) -> Farm:
    """Four healthy hosts that run what they are sent."""
    return start_farm()
