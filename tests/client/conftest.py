"""People at the real API, with the commands that they type."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from jobplatform.store import people
from jobplatform.store.database import changing
from tests.support.platform.clients import PASSWORD, settle
from tests.support.platform.commands import Person
from tests.support.platform.databases import database, empty, real
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.served import served

__all__ = ["database", "empty", "real"]


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path


def _people(engine: Engine, place: Path) -> Iterator[Person]:
    kubernetes, tokens = FakeKubernetes(), settle(engine)
    with changing(engine) as connection:
        people.set_password(connection, "bob", PASSWORD)  # which ends the token that there was
        tokens["bob"] = people.give_token(connection, "bob", "test", 3600)
    with served(engine, kubernetes) as address:
        yield Person(address, engine, tokens, kubernetes, place)


@pytest.fixture
def person(database: Engine, at_home: Path) -> Iterator[Person]:
    yield from _people(database, at_home)


@pytest.fixture
def person_with_mariadb(real: Engine, at_home: Path) -> Iterator[Person]:
    yield from _people(real, at_home)
