"""Connections to the database, its clock, and what it means that it does not answer."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from pymysql import Error
from sqlalchemy import Connection, Engine, create_engine, event, select
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import StaticPool
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import BigInteger

_AWAY = {1040, 1053, 1205, 1213, 1290, 2002, 2003, 2006, 2013}
"""MariaDB: too many connections, shutting down, lock wait, deadlock, read-only, gone, lost."""


_IDLE = 1.0
"""Seconds after which a connection is tried before it is used again."""
_SILENT = 20
"""Seconds for which a server that says nothing is waited for."""


class Unavailable(Exception):
    """The database does not answer now. Nothing was changed; the same may be asked again."""


class Clock(FunctionElement[int]):
    """The database's own time in milliseconds: the one clock that all processes share."""

    type = BigInteger()
    inherit_cache = True


@compiles(Clock)
def _mariadb(element: Clock, compiler: Any, **options: Any) -> str:
    return "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)"


@compiles(Clock, "sqlite")
def _sqlite(element: Clock, compiler: Any, **options: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


def engine(url: str | URL, connections: int = 8) -> Engine:
    """An engine whose connections are tried before use and time out when nobody answers."""
    if str(url).startswith("sqlite"):
        return _sqlite_engine(url)
    made = _pool(url, connections, isolation_level="READ COMMITTED")
    reads = _pool(url, connections, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True)
    _READS[made] = reads
    event.listen(made, "engine_disposed", lambda gone: reads.dispose())
    return made


_READS = WeakKeyDictionary[Engine, Engine]()
"""Connections for reads, beside those of an engine: one that changed its ways for each use would
ask the server five times more than for what is read."""


def _pool(url: str | URL, connections: int, **options: Any) -> Engine:
    """Whoever takes a connection leaves no transaction open, so none is rolled back afterwards."""
    made = create_engine(
        url, pool_size=connections, max_overflow=0, pool_timeout=5, pool_recycle=1800,
        pool_reset_on_return=None, **options, connect_args={
            "connect_timeout": 3, "read_timeout": _SILENT, "write_timeout": _SILENT,
            "charset": "utf8mb4",
            "init_command": "SET time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'",
        },
    )  # fmt: skip

    @event.listens_for(made, "checkin")
    def _used(connection: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    @event.listens_for(made, "checkout")
    def _try(connection: Any, record: Any, proxy: Any) -> None:
        if time.monotonic() - record.info.get("used", math.inf) > _IDLE:
            try:
                connection.ping(reconnect=False)
            except Error as error:
                if isinstance(error.__context__, TimeoutError):  # a new one would wait as long
                    raise Unavailable("the database does not answer") from error
                raise DisconnectionError from error

    return made


def _sqlite_engine(url: str | URL) -> Engine:
    """For tests: one connection that all threads share."""
    made = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})

    @event.listens_for(made, "connect")
    def _keys(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON")

    return made


@contextmanager
def reading(found: Engine) -> Iterator[Connection]:
    """A connection for reads: each statement by itself, which halves their time."""
    reads = _READS.get(found)
    with _told(), (reads or found).connect() as connection:
        yield connection if reads else connection.execution_options(isolation_level="AUTOCOMMIT")


@contextmanager
def changing(found: Engine) -> Iterator[Connection]:
    """A transaction: all of it or nothing."""
    with _told(), found.begin() as connection:
        yield connection


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("all connections to the database are in use") from error
    except DBAPIError as error:
        if error.connection_invalidated or _away(error):
            raise Unavailable("the database does not answer") from error
        raise


def _away(error: DBAPIError) -> bool:
    number = error.orig.args[0] if error.orig and error.orig.args else None
    return number in _AWAY


def now(connection: Connection) -> int:
    """The database's time in milliseconds."""
    return int(connection.execute(select(Clock())).scalar_one())
