"""Fixtures of the job platform's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobplatform.model import passwords
from tests.support.platform.clients import api
from tests.support.platform.databases import database, empty, real
from tests.support.platform.portals import portal

__all__ = ["api", "database", "empty", "portal", "real"]

# PyMySQL leaves the local sockets of connections that broke to the garbage collector, which comes
# in whichever test is next: a failed request's traceback may hold them for a while.
_LEFT = pytest.mark.filterwarnings(
    r"ignore:Exception ignored in. <socket\.socket fd=-?\d+, family=1:"
    "pytest.PytestUnraisableExceptionWarning"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(_LEFT)


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a guess costs is a number that no test looks at, and each sign-in would pay it."""
    monkeypatch.setitem(passwords._COST, "n", 2)
