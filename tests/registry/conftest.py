"""A cluster with a registry of its own, as it is once that was started."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dlws.registry import kept
from dlws.registry.start import configured
from tests.support.fakes import World
from tests.support.registries import CONFIG, Start


@pytest.fixture
def started(make: Callable[..., World]) -> Start:
    """A world from a configuration, with what `registry start` keeps in deploy/."""

    def build(text: str = CONFIG, **options: object) -> World:
        world = make(text)
        kept.ensure(world.cluster, configured(world.cluster))
        return make(text, **options) if options else world

    return build


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a guess costs is a number that no test looks at, and each registry would pay it."""
    monkeypatch.setattr(kept, "_ROUNDS", 4)
