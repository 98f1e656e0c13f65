"""What a person would see of work that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dlws.runs.console import Console


def told_statuses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of each status that is begun from now on, as they are at its beginning."""
    told, begun = list[str](), Console.status

    @contextmanager
    def status(self: Console, text: Callable[[], str], every: float = 30) -> Iterator[None]:
        told.append(text())
        with begun(self, text, every):
            yield

    monkeypatch.setattr(Console, "status", status)
    return told
