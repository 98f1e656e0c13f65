"""A MariaDB server for tests: a private one, in a temporary directory, by no user of importance."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pymysql
import pytest

from dlws.core.localfiles import scratch
from tests.support.guards import with_us
from tests.support.program import daemon
from tests.support.sshd import free_port
from tests.support.waiting import wait_until

PASSWORD = 'it\'s "#1"; $x [a]? 100% \\ü 🔑'
ACCOUNT = "nobody"


@dataclass
class MariaDb:
    """A server that can be stopped and started; `port` is of 127.0.0.1, `socket` a path."""

    place: Path
    port: int
    log: Path
    options: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self.place / "data/mysql.sock"

    def start(self, *more: str) -> None:
        line = [*base(self.place), f"--port={self.port}", f"--socket={self.socket}",
                "--bind-address=127.0.0.1", "--skip-name-resolve", "--general-log=1",
                f"--general-log-file={self.log}", "--max-connections=50", *more]  # fmt: skip
        errors = (self.place / "errors").open("ab")
        with errors:
            self.process = subprocess.Popen(
                with_us(line), stdout=errors, stderr=errors, **as_nobody()
            )
        self.wait()

    def wait(self) -> None:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            assert self.process and self.process.poll() is None, self.complaint()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError(f"mariadbd does not answer: {self.complaint()}")

    def complaint(self) -> str:
        return (self.place / "errors").read_text(errors="replace")[-2000:]

    def stop(self, how: str = "terminate") -> None:
        if self.process:
            getattr(self.process, how)()
            self.process.wait()
            self.process = None

    @contextmanager
    def silent(self) -> Iterator[None]:
        """Who connects is let wait: it says nothing until the block ends."""
        assert self.process
        threads = Path(f"/proc/{self.process.pid}/task")
        self.process.send_signal(signal.SIGSTOP)
        try:
            wait_until(lambda: all(") T " in one.read_text() for one in threads.glob("*/stat")))
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def root(self, password: str = "") -> pymysql.connections.Connection[Any]:
        """A connection as root@localhost, through the socket."""
        return pymysql.connect(
            unix_socket=str(self.socket), user="root", password=password.encode(),
            charset="utf8mb4", autocommit=True, ssl_disabled=True,  # with it, it reads all CAs
        )  # fmt: skip

    def ask(self, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What the server answers root."""
        with self.root() as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters or None)
            return list(cursor.fetchall())

    def sent(self) -> list[str]:
        """The statements that changed something, as the server's log has them."""
        words = ("insert", "update", "delete", "replace", "create", "alter", "drop", "grant",
                 "rename", "truncate", "flush")  # fmt: skip
        lines = self.log.read_text(errors="replace").splitlines()
        parts = [line.partition("Query\t")[2] for line in lines if "Query\t" in line]
        return [part for part in parts if part.lower().startswith(words)]

    def forget(self) -> None:
        """Empty the log and all of the cluster's databases and accounts."""
        for (name,) in self.ask("SHOW DATABASES LIKE 'DLWS%'"):
            self.ask(f"DROP DATABASE `{name}`")
        for (name,) in self.ask("SELECT user FROM mysql.user WHERE host = '%'"):
            self.ask("DROP USER %s@'%%'", name)
        self.log.write_bytes(b"")


def base(place: Path) -> list[str]:
    found = daemon("mariadbd", "mariadb-server-core")
    share = Path(found).parent.parent / "share/mysql"
    return [found, "--no-defaults", f"--datadir={place}/data", f"--tmpdir={place}/tmp",
            f"--lc-messages-dir={share}", f"--character-sets-dir={share}/charsets",
            "--innodb-buffer-pool-size=16M", "--innodb-log-file-size=8M",
            "--innodb-flush-log-at-trx-commit=0"]  # fmt: skip


def as_nobody() -> dict[str, Any]:
    """A database server does not want to be root."""
    return {"user": ACCOUNT, "extra_groups": []} if os.geteuid() == 0 else {}


def install(place: Path) -> None:
    """Make the server's own tables; root@localhost has no password, as in a new container."""
    for name in ("data", "tmp"):
        (place / name).mkdir()
        if os.geteuid() == 0:
            shutil.chown(place / name, ACCOUNT)
    (place / "data/mysql").mkdir()
    if os.geteuid() == 0:
        shutil.chown(place / "data/mysql", ACCOUNT)
    share = Path(daemon("mariadbd", "mariadb-server-core")).parent.parent / "share/mysql"
    names = ("mysql_system_tables.sql", "mysql_performance_tables.sql",
             "mysql_system_tables_data.sql")  # fmt: skip
    sql = "USE mysql;\nSET @auth_root_socket=NULL;\n"
    sql += "".join((share / name).read_text() for name in names)
    sql += "DELETE FROM global_priv WHERE Host != 'localhost';\n"
    done = subprocess.run(
        [*base(place), "--bootstrap", "--skip-networking"], input=sql.encode(),
        capture_output=True, timeout=60, check=False, **as_nobody(),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode(errors="replace")[-2000:]


@contextmanager
def serving(*options: str) -> Iterator[MariaDb]:
    """A new server. Its directory is short, for the socket's path, and open to its account."""
    with scratch("dlws-test-mariadb-") as above:  # it stays ours, for the next one to clear away
        above.chmod(0o755)
        place = above / "server"
        place.mkdir()
        if os.geteuid() == 0:
            shutil.chown(place, ACCOUNT)
        server = MariaDb(place, free_port(), place / "log")
        try:
            install(place)
            server.start(*options)
            yield server
        finally:
            server.stop("kill")


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDb]:
    with serving() as server:
        yield server
