"""A backup: one moment of the database, as SQL in a compressed file that is for nobody else.

It is made by our own questions, so that the devbox needs no client. Every statement stands behind a
line that says where it begins, and the last line says how many rows there are: a file that was cut
off is not taken for one.
"""

from __future__ import annotations

import gzip
import io
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import writing
from dlws.database.client import Database
from dlws.database.names import quoted
from dlws.runs.plan import local

if TYPE_CHECKING:
    from dlws.secrets.vault import Vault

HEAD, NEXT, END = "-- dlws backup 1 ", "-- next", "-- dlws backup ends, rows: "
FOLDER = "deploy/backups"
_BATCH = 512 * 1024
"""Bytes of an INSERT, about: every server takes a megabyte."""
SETTINGS = (
    "SET NAMES utf8mb4",
    "SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
    "SET SESSION foreign_key_checks = 0",
    "SET SESSION time_zone = '+00:00'",
)


def save(database: Database, path: Path | None = None) -> Path | None:
    """Write a backup; where to, or None in a dry run."""
    cluster = database.cluster
    chosen = path or _place(cluster.directory, database.name)
    if chosen.exists():
        raise UsageError(f"{chosen} exists", "give the backup another name, or none")
    where = str(path) if path else FOLDER
    if not cluster.run.gate.admit(local(f"back up the database {database.name} to {where}")):
        return None
    cluster.run.journal()
    _warn(database)
    try:
        working = cluster.run.console.working(f"saving {database.name}")
        with working, _file(chosen, cluster.run.vault) as file:
            rows = _compressed(database, file)
    except OSError as error:
        raise DeployError(
            f"{chosen}: {error.strerror}: the backup was not kept",
            "make room, or name another FILE",
        ) from error
    cluster.run.console.changed(f"{chosen} ({rows} rows of {database.name})")
    return chosen


def _place(directory: Path, name: str) -> Path:
    """A name by the time, which no backup has yet."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    paths = (directory / FOLDER / f"{name}-{moment}{more}.sql.gz"
             for more in ("", *(f"-{number}" for number in range(2, 1000))))  # fmt: skip
    return next(path for path in paths if not path.exists())


@contextmanager
def _file(path: Path, vault: Vault) -> Iterator[IO[bytes]]:
    """The file of a backup. Where deploy/ is encrypted, nothing of it is on the disk in plain."""
    if not vault.encrypted:
        with writing(path) as file:
            yield file
        return
    content = io.BytesIO()
    yield content
    vault.write(path, content.getvalue())


def _compressed(database: Database, file: IO[bytes]) -> int:
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", compresslevel=6) as packed:
        return dump(database, packed.write)


def dump(database: Database, write: Callable[[bytes], object]) -> int:
    """Write the database as it is at one moment; the number of its rows."""

    def put(*lines: str) -> None:
        write("".join(f"{line}\n" for line in lines).encode(errors="surrogateescape"))

    with _moment(database):
        tables = _tables(database)
        put(HEAD + json.dumps(_about(database)))
        for line in SETTINGS:
            put(NEXT, f"{line};")
        rows = 0
        for name in tables:
            made = database.rows(f"SHOW CREATE TABLE {quoted(name)}")[0]["Create Table"]
            put(NEXT, f"{made};")
            for insert, count in _inserts(database, name):
                put(NEXT, f"{insert};")
                rows += count
        put(END + str(rows))
    return rows


@contextmanager
def _moment(database: Database) -> Iterator[None]:
    """What is read in the block is of one moment, whoever writes meanwhile; all of it is text."""
    raw: Any = database.raw
    decoders, raw.decoders = raw.decoders, {}
    try:
        with database.translated(), raw.cursor() as cursor:
            cursor.execute("SET SESSION time_zone = '+00:00'")
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            cursor.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
            yield
            cursor.execute("COMMIT")
    finally:
        raw.decoders = decoders


def _about(database: Database) -> dict[str, str]:
    version = database.column("SELECT VERSION()")[0]
    moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    name = database.cluster.config.cluster_name
    return {"cluster": name, "database": database.name, "server": version, "time": moment}


def _tables(database: Database) -> list[str]:
    return database.column(
        "SELECT table_name FROM information_schema.tables"
        " WHERE table_schema = %s AND table_type = 'BASE TABLE' ORDER BY table_name",
        database.name,
    )


def _inserts(database: Database, table: str) -> Iterator[tuple[str, int]]:
    """Statements with the rows of a table, and the number of rows in each."""
    columns = database.column(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = %s"
        " AND table_name = %s AND COALESCE(generation_expression, '') = ''"
        " ORDER BY ordinal_position",
        database.name,
        table,
    )
    names = ", ".join(map(quoted, columns))
    batch: list[str] = []
    size = 0
    for row in _streamed(database, f"SELECT {names} FROM {quoted(table)}"):
        values = f"({', '.join(_literal(value) for value in row)})"
        if batch and size + len(values) > _BATCH:
            yield f"INSERT INTO {quoted(table)} ({names}) VALUES {', '.join(batch)}", len(batch)
            batch, size = [], 0
        batch.append(values)
        size += len(values)
    if batch:
        yield f"INSERT INTO {quoted(table)} ({names}) VALUES {', '.join(batch)}", len(batch)


def _streamed(database: Database, sql: str) -> Iterator[tuple[Any, ...]]:
    """Rows as they come: a table may be larger than memory."""
    import pymysql.cursors

    with database.translated(), database.raw.cursor(pymysql.cursors.SSCursor) as cursor:
        cursor.execute(sql)
        while rows := cursor.fetchmany(500):
            yield from rows


def _literal(value: str | bytes | None) -> str:
    """A value as SQL, without newlines."""
    from pymysql.converters import escape_string

    if value is None:
        return "NULL"
    return f"X'{value.hex()}'" if isinstance(value, bytes) else f"'{escape_string(value)}'"


def _warn(database: Database) -> None:
    """Name what a backup leaves out: nothing of the system's own is among it."""
    found = database.column(
        "SELECT CONCAT('view ', table_name) FROM information_schema.views"
        " WHERE table_schema = %s"
        " UNION SELECT CONCAT('trigger ', trigger_name) FROM information_schema.triggers"
        " WHERE trigger_schema = %s"
        " UNION SELECT CONCAT(LOWER(routine_type), ' ', routine_name)"
        " FROM information_schema.routines WHERE routine_schema = %s",
        *[database.name] * 3,
    )
    if found:
        database.cluster.run.console.warn(f"a backup holds tables alone, not: {', '.join(found)}")
