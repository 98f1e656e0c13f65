"""Databases for the platform's tests: SQLite in memory, and one of the tests' MariaDB server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache

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
    made = fresh()
    yield made
    made.dispose()


def fresh() -> Engine:
    """Our tables, empty, in memory; the database that was made before has ended.

    Who listens to this engine hears nothing of the next.
    """
    made = _memory().execution_options()
    made.dispose()
    with made.begin() as connection:
        for statement in _statements():
            connection.exec_driver_sql(statement)
    return made


@cache
def _memory() -> Engine:
    """One for all tests: an engine keeps the SQL that it has made, half of the time of a test."""
    return engine("sqlite://")


@cache
def _statements() -> Sequence[str]:
    """What makes our tables, as SQLite has kept it."""
    made = engine("sqlite://")
    METADATA.create_all(made)
    with made.connect() as connection:
        found = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
        statements = found.scalars().all()
    made.dispose()
    return statements


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
