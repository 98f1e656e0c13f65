"""Databases for the platform's tests: SQLite in memory, and one of the tests' MariaDB server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from jobplatform.store.database import engine
from jobplatform.store.migrations import upgrade
from jobplatform.store.tables import METADATA
from tests.support.mariadb import MariaDb

NAME = "DLWS_platform"


@pytest.fixture
def database() -> Iterator[Engine]:
    """Our tables, empty, in memory."""
    made = engine("sqlite://")
    METADATA.create_all(made)
    yield made
    made.dispose()


def url(server: MariaDb, name: str = NAME) -> URL:
    return URL.create(
        "mysql+pymysql", "root", database=name, query={"unix_socket": str(server.socket)}
    )


@pytest.fixture
def empty(mariadb: MariaDb) -> Iterator[Engine]:
    """A new database of a real server, without tables."""
    mariadb.forget()
    mariadb.ask(f"CREATE DATABASE `{NAME}` CHARACTER SET utf8")
    made = engine(url(mariadb))
    yield made
    made.dispose()


@pytest.fixture
def real(empty: Engine) -> Engine:
    """The same with our tables."""
    upgrade(empty)
    return empty
