"""A connection to the database: reads rows, and makes changes that the gate admits."""

from __future__ import annotations

import struct
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.database import problems, strangers
from dlws.database.names import PREFIX, database_name
from dlws.database.place import Place, place, way
from dlws.runs import plan
from dlws.secrets.redaction import revealed

if TYPE_CHECKING:
    from pymysql.connections import Connection

    from dlws.config import Config
    from dlws.nodes.cluster import Cluster

Row = dict[str, Any]
_PATIENCE = 15
"""Seconds for a server to say something, before it has let us in."""
_LONG = 600
"""Seconds for the answer to one statement."""
_ABSENT = {2002, 2003, 2006, 2013, 2014, 2055}
"""What PyMySQL calls it where there is no server, or one that goes away at once."""
_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO"


@dataclass(frozen=True)
class Change:
    """One statement that changes something, and what it does in words (behind `would`)."""

    words: str
    sql: str
    parameters: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Credentials:
    """Who logs in."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials({self.user})"


def credentials(config: Config) -> Credentials:
    """The user and password of config.yaml."""
    password = revealed(config.mysql_password)
    if not password:
        raise UsageError(
            "mysql_password is not set",
            "set it in config.yaml, such as mysql_password: file:deploy/mysql.password",
        )
    return Credentials(config.mysql_username, password)


class Database:
    """One connection. `name` is the cluster's database there."""

    def __init__(self, raw: Connection[Any], where: Place, user: str, cluster: Cluster) -> None:
        self.raw, self.where, self.user, self.cluster = raw, where, user, cluster
        self.name = name_of(cluster)

    def rows(self, sql: str, *parameters: Any) -> list[Row]:
        """What a question returns, by the names of the columns."""
        with self.translated(), self.raw.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def looked_up(self, sql: str) -> list[Row]:
        """What a question returns that may change nothing: also no function that it calls."""
        self.rows("START TRANSACTION READ ONLY")
        try:
            return self.rows(sql)
        finally:
            _give_up(self.raw)

    def column(self, sql: str, *parameters: Any) -> list[Any]:
        """The first column of what a question returns."""
        return [next(iter(row.values())) for row in self.rows(sql, *parameters)]

    def use(self) -> None:
        """Choose the cluster's database; raises NotInitialised where there is none."""
        if not self.exists:
            others = [name for name in self.databases if name.startswith(PREFIX)]
            hint = f"; there is {', '.join(others)}, of another cluster id" if others else ""
            raise problems.not_initialised(
                f"the server at {self.where} has no database {self.name}{hint}"
            )
        with self.translated():
            self.raw.select_db(self.name)

    @property
    def databases(self) -> list[str]:
        return list(map(str, self.column("SELECT schema_name FROM information_schema.schemata")))

    @property
    def exists(self) -> bool:
        return self.name in self.databases

    def alone(self) -> None:
        """Keep other devboxes from deciding on the same rows, until this connection ends."""
        if self.cluster.run.dry_run:
            return
        seconds = int(max(1, self.cluster.run.options.lock_wait))
        if self.column("SELECT GET_LOCK(%s, %s)", self.name, seconds) != [1]:
            raise Refused(
                f"another run changes the database {self.name}",
                "wait for it with --lock-wait SECONDS before the command",
            )

    def apply(self, changes: Sequence[Change]) -> None:
        """Make changes, all of them or none (but each that makes a table, at once)."""
        run = self.cluster.run
        if not run.gate.admit(*(plan.local(change.words) for change in changes)) or not changes:
            return
        run.journal(changes_node=self.where.node is not None)
        with self.transaction(), self.raw.cursor() as cursor:
            for change in changes:
                cursor.execute(change.sql, change.parameters or None)
        for change in changes:
            run.console.changed(change.words)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.translated():
            self.raw.begin()
            try:
                yield
                self.raw.commit()
            except BaseException:
                _give_up(self.raw)
                raise

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of the server's in our words."""
        with translated(self.where, self.user):
            yield


def _give_up(raw: Connection[Any]) -> None:
    import pymysql

    # A connection that is gone took with it what was begun.
    with suppress(pymysql.err.Error, OSError):
        raw.rollback()


def name_of(cluster: Cluster) -> str:
    """The name of the cluster's database; raises UsageError before `build` gave it an id."""
    from dlws.nodes.directory import cluster_id

    found = cluster_id(cluster.directory)
    if not found:
        raise UsageError("this cluster has no id yet", f"run: {PROGRAM} build")
    return database_name(found)


@contextmanager
def translated(where: Place, user: str) -> Iterator[None]:
    import pymysql

    try:
        yield
    except pymysql.err.MySQLError as error:
        code, says = _parts(error)
        raise problems.explained(code, says, where, user) from error
    except (AssertionError, LookupError, ValueError, struct.error) as error:
        raise DeployError(
            f"the server at {where} does not speak as a database does",
            "see who listens at mysql_host, or on the node's mysql_port",
        ) from error
    except RuntimeError as error:  # PyMySQL's word for a way to log in that it lacks
        raise DeployError(f"the database at {where}: {error}") from error


def _parts(error: Exception) -> tuple[int, str]:
    code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    return code, str(error.args[-1]) if error.args else type(error).__name__


@contextmanager
def entered(cluster: Cluster, who: Credentials, socket: str = "") -> Iterator[Database]:
    """A connection to the server, which need not have the cluster's database."""
    where = place(cluster)
    with way(where, socket) as through:
        raw = _connect(cluster, who, through)
        try:
            yield Database(raw, where, who.user, cluster)
        finally:
            _close(raw)


@contextmanager
def opened(cluster: Cluster, changes: bool = False) -> Iterator[Database]:
    """A connection to the cluster's database; `changes`: nobody else's changes come between."""
    with entered(cluster, credentials(cluster.config)) as database:
        database.use()
        if changes:
            database.alone()
        yield database


def _close(raw: Connection[Any]) -> None:
    if raw.open:
        raw.close()


def _connect(cluster: Cluster, who: Credentials, through: Any) -> Connection[Any]:
    """Log in. Over TLS where the server offers it; always, where mysql_ca says whose it must be."""
    where = place(cluster)
    with _logging_in(where, who.user):
        raw = _unconnected(cluster, who, where, bool(through))
        if not _proven(cluster, where):
            strangers.guard(raw)
        raw.connect(through)
    inside: Any = raw
    inside._read_timeout = inside._write_timeout = _LONG
    if where.node is None and not inside._secure:
        cluster.run.console.warn(
            f"the connection to {where} is not encrypted: the server offers no TLS"
        )
    return raw


def _proven(cluster: Cluster, where: Place) -> bool:
    """Whether it is known whose server answers."""
    return where.node is not None or bool(cluster.config.mysql_ca)


def _unconnected(cluster: Cluster, who: Credentials, where: Place, inside: bool) -> Connection[Any]:
    """A connection that has sent nothing yet; `inside`: it will go through another one."""
    import pymysql

    return pymysql.connect(
        host="127.0.0.1" if inside else where.host,
        port=where.port,
        user=who.user,
        password=who.password.encode(),  # as text, PyMySQL would take it for Latin-1
        charset="utf8mb4",
        sql_mode=_MODE,
        autocommit=True,
        connect_timeout=_PATIENCE,
        read_timeout=_PATIENCE,
        write_timeout=_PATIENCE,
        auth_plugin_map=strangers.ways(_proven(cluster, where)),
        defer_connect=True,
        **_tls(cluster, through_ssh=where.node is not None),
    )


def _tls(cluster: Cluster, through_ssh: bool) -> dict[str, Any]:
    ca = cluster.config.mysql_ca
    if not ca:
        return {}
    path = cluster.directory / ca
    if not path.is_file():
        raise UsageError(f"mysql_ca: there is no file {path}", "correct mysql_ca in config.yaml")
    # At a tunnel's end the server has the name of this machine: then its authority has to do.
    return {
        "ssl_ca": str(path),
        "ssl_verify_cert": True,
        "ssl_verify_identity": not through_ssh,
    }


@contextmanager
def _logging_in(where: Place, user: str) -> Iterator[None]:
    """Errors of logging in: that nothing answers is not that a connection was lost."""
    import ssl

    import pymysql

    try:
        with translated(where, user):
            yield
    except DeployError as error:
        cause = error.__cause__
        inner = getattr(cause, "original_exception", None)
        if isinstance(inner, ssl.SSLError):
            raise DeployError(
                f"the database at {where} does not prove what mysql_ca asks for: {inner.reason}",
                "correct mysql_ca in config.yaml, or the server's certificate",
            ) from error
        code, says = _parts(cause) if isinstance(cause, pymysql.err.MySQLError) else (0, "")
        if code in _ABSENT:
            raise problems.unreachable(where, _plain(says), bool(where.node)) from error
        raise
    except OSError as error:
        raise problems.unreachable(where, error.strerror or str(error), bool(where.node)) from error


def _plain(says: str) -> str:
    """PyMySQL's words without the address, which may be that of a tunnel's end."""
    inner = says.rpartition("(")[2].rstrip(")") if "Can't connect" in says else says
    return inner.partition("] ")[2] or inner


def waited(cluster: Cluster, seconds: float) -> None:
    """Wait until a server answers, whether or not it lets us in."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with entered(cluster, credentials(cluster.config)):
                return
        except problems.Denied:
            return
        except problems.Unreachable:
            if time.monotonic() + 1 > deadline:
                raise
        time.sleep(1)
