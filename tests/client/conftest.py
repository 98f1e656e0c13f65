"""People at the real API, with the commands that they type."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import Engine

from dlws.cli.root import cli
from jobplatform.store import people
from jobplatform.store.database import changing
from tests.support.platform.clients import PASSWORD, settle
from tests.support.platform.databases import database, empty, real
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.served import served

__all__ = ["database", "empty", "real"]


@dataclass
class Person:
    """Types commands, in a directory and with settings of the person's own."""

    address: str
    engine: Engine
    tokens: dict[str, str]
    kubernetes: FakeKubernetes
    place: Path

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> Result:
        typed = ["--dir", str(self.place), *words]
        found = CliRunner().invoke(cli, typed, input=stdin, catch_exceptions=False)
        assert found.exit_code == code, found.output
        return found

    def signs_in(self, who: str = "ann") -> None:
        self("login", self.address, "--token", stdin=f"{self.tokens[who]}\n")


@pytest.fixture
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    return tmp_path


def _people(engine: Engine, place: Path) -> Iterator[Person]:
    kubernetes, tokens = FakeKubernetes(), settle(engine)
    with changing(engine) as connection:
        people.set_password(connection, "bob", PASSWORD)
    with served(engine, kubernetes) as address:
        yield Person(address, engine, tokens, kubernetes, place)


@pytest.fixture
def person(database: Engine, at_home: Path) -> Iterator[Person]:
    yield from _people(database, at_home)


@pytest.fixture
def person_with_mariadb(real: Engine, at_home: Path) -> Iterator[Person]:
    yield from _people(real, at_home)


State = Callable[[str, str], None]
