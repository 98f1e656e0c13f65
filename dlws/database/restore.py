"""`db restore`: the tables of a backup take the place of those that are there, all at once."""

from __future__ import annotations

import gzip
import io
import json
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.localfiles import open_regular
from dlws.core.program import PROGRAM
from dlws.database.backup import END, HEAD, NEXT, SETTINGS, save
from dlws.database.client import Database
from dlws.database.names import quoted
from dlws.runs.plan import local
from dlws.secrets.vault import sealed

if TYPE_CHECKING:
    from dlws.secrets.vault import Vault

_KNOWN = re.compile(r"(?:CREATE TABLE|INSERT INTO) `(?:[^`]|``)+` \(")
"""How the statements of a backup begin, but for settings: they are about no other database."""


@dataclass(frozen=True)
class Backup:
    """A file that was read to its end and is what it should be."""

    path: Path
    cluster: str
    database: str
    time: str
    rows: int

    def __str__(self) -> str:
        return f"{self.path}: {self.database} of {self.time}, {self.rows} rows"


def examine(path: Path, vault: Vault) -> Backup:
    """What a backup says it is; raises UsageError where it is none, or damaged."""
    rows = None
    with _lines(path, vault) as lines:
        try:
            about = json.loads(next(lines, "").removeprefix(HEAD))
            for line in lines:
                rows = int(line.removeprefix(END)) if line.startswith(END) else None
            if rows is None:
                raise _no_backup(path, "it has no end")
            return Backup(path, about["cluster"], about["database"], about["time"], rows)
        except (ValueError, KeyError, TypeError) as error:
            raise _no_backup(path, "it does not begin or end as one") from error


def check(backup: Backup, name: str) -> None:
    """Raise Refused where it is the backup of another database."""
    if backup.database != name:
        raise Refused(
            f"{backup.path} is of {backup.database} (cluster {backup.cluster}), not of {name}",
            f"use a backup of this cluster's: {PROGRAM} db backup makes them",
        )


def restore(database: Database, backup: Backup) -> Path | None:
    """Put a backup in place; where what was there is kept, or None in a dry run.

    Its tables are made beside those that are there, and change places with them at once: whatever
    fails before that has changed nothing.
    """
    cluster = database.cluster
    kept = save(database)
    if not cluster.run.gate.admit(local(f"restore {backup.path} to {database.name}")):
        return None
    cluster.run.journal(changes_node=database.where.node is not None)
    with cluster.run.console.working(f"restoring {backup.path}"), _spare(database) as (new, old):
        _fill(database, backup, new, old)
    cluster.run.console.changed(f"{database.name} is that of {backup.time} ({backup.rows} rows)")
    return kept


def _fill(database: Database, backup: Backup, new: str, old: str) -> None:
    """Make the tables of a backup in `new`, and have them change places with today's."""
    with database.translated(), database.raw.cursor() as cursor:
        cursor.execute(f"USE {quoted(new)}")
        for statement in statements(backup.path, database.cluster.run.vault):
            cursor.execute(statement)
        cursor.execute(_swap(database, new, old))


def spare_names(name: str) -> tuple[str, str]:
    """Names beside that of a database which no other cluster's can have."""
    return f"{name}~new", f"{name}~old"


@contextmanager
def _spare(database: Database) -> Iterator[tuple[str, str]]:
    """Two databases that are there while the block runs: for the new tables, and for the old."""
    names = spare_names(database.name)
    with database.translated(), database.raw.cursor() as cursor:
        for name in names:
            cursor.execute(f"DROP DATABASE IF EXISTS {quoted(name)}")
            cursor.execute(f"CREATE DATABASE {quoted(name)}")
    try:
        yield names
    finally:
        with suppress(DeployError), database.translated(), database.raw.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE {quoted(name)}")
            cursor.execute(f"USE {quoted(database.name)}")


def _swap(database: Database, new: str, old: str) -> str:
    """The one statement that takes the tables of today away and puts those of the backup there."""
    moves = []
    for source, target in ((database.name, old), (new, database.name)):
        for name in database.column(
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema = %s AND table_type = 'BASE TABLE'",
            source,
        ):
            table = quoted(name)
            moves.append(f"{quoted(source)}.{table} TO {quoted(target)}.{table}")
    return f"RENAME TABLE {', '.join(moves)}"


def statements(path: Path, vault: Vault) -> Iterator[str]:
    """The statements of a backup, one by one."""
    part: list[str] = []
    with _lines(path, vault) as lines:
        next(lines)
        for line in lines:
            if line != NEXT and not line.startswith(END):
                part.append(line)
                continue
            if part:
                yield _statement(path, "\n".join(part))
            part = []


def _statement(path: Path, text: str) -> str:
    statement = text.removesuffix(";")
    if statement not in SETTINGS and not _KNOWN.match(statement):
        raise _no_backup(path, f"it holds another statement: {text[:40]!r}")
    return statement


@contextmanager
def _lines(path: Path, vault: Vault) -> Iterator[Iterator[str]]:
    """The lines of a backup, decrypted and decompressed as they are read."""
    try:
        with open_regular(path) as file:
            shut = sealed(file.read(32))
            file.seek(0)
            source: IO[bytes] = io.BytesIO(vault.read(path)) if shut else file
            with gzip.GzipFile(fileobj=source, mode="rb") as packed:
                yield (line[:-1].decode() for line in packed)
    except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise _no_backup(path, str(error)) from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", "name a file of db backup") from error


def _no_backup(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no whole backup: {why}", "use another one; nothing was changed")
