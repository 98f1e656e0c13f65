"""A connection to a server outside the cluster: TLS, character sets, all changes or none."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlws.core.errors import DeployError, Refused
from dlws.database import init, prompt
from dlws.database.client import Change, Credentials, entered, opened
from dlws.nodes.cluster import Cluster
from tests.support.fakes import CONFIG, Make
from tests.support.mariadb import PASSWORD, MariaDb

Outside = Callable[..., Cluster]


@pytest.fixture
def outside(make: Make, tmp_path: Path, mariadb: MariaDb) -> Outside:
    """Makes clusters whose database is at an address that the devbox reaches by itself."""
    mariadb.forget()
    mariadb.ask("CREATE USER root@'%%' IDENTIFIED BY %s", PASSWORD)
    mariadb.ask("GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION")
    (tmp_path / "deploy").mkdir(mode=0o700)
    (tmp_path / "deploy/clusterID.yml").write_text("clusterId: c1\n")
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "password").chmod(0o600)

    def build(more: str = "", **options: bool) -> Cluster:
        text = f"{CONFIG}mysql_host: 127.0.0.1\nmysql_port: {mariadb.port}\n"
        return make(f"{text}mysql_password: file:password\n{more}", **options).cluster

    return build


def test_changes_are_made_all_or_none(outside: Outside) -> None:
    cluster = outside()
    init.init(cluster)
    with opened(cluster) as database:
        good = Change("a", "INSERT INTO clusterstatus (status) VALUES (%s)", ("x",))
        with pytest.raises(DeployError, match="nothing"):
            database.apply([good, Change("b", "INSERT INTO nothing VALUES (1)")])
        assert database.rows("SELECT * FROM clusterstatus") == []
        assert database.column("SELECT @@collation_database") == ["utf8mb4_bin"]


def _greeting(plugin: bytes, tls: bool = False) -> bytes:
    """What a server says first."""
    able = b"\xff\xff" if tls else b"\xff\xf7"
    head = b"\x0a8.0.0\0\x01\0\0\0aaaaaaaa\0" + able + b"\xff\x02\0\xff\xc1\x15"
    return head + bytes(10) + b"a" * 12 + b"\0" + plugin + b"\0"


def _switch(plugin: bytes, data: bytes) -> bytes:
    return b"\xfe" + plugin + b"\0" + data + b"\0"


@contextlib.contextmanager
def _impostor(
    packets: tuple[bytes, ...], heard: list[bytes], leaves: bool
) -> Iterator[socket.socket]:
    """Listens on this machine, and says these packets to whoever logs in, one by one. One that
    `leaves` does so after the last of them, and hears no answer to it."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        peer, _ = listener.accept()
        with peer, contextlib.suppress(OSError):
            peer.settimeout(20)
            for number, packet in enumerate(packets):
                peer.sendall(len(packet).to_bytes(3, "little") + bytes([2 * number]) + packet)
                if not leaves or number + 1 < len(packets):
                    heard.append(peer.recv(4096))

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        with listener:
            yield listener
    finally:
        server.join(30)  # it has heard all by then


def _logs_in(
    make: Make, packets: tuple[bytes, ...], heard: list[bytes], leaves: bool = False
) -> None:
    with _impostor(packets, heard, leaves) as listener:
        where = f"mysql_host: 127.0.0.1\nmysql_port: {listener.getsockname()[1]}\n"
        cluster = make(f"{CONFIG}{where}").cluster
        (cluster.directory / "deploy").mkdir(mode=0o700, exist_ok=True)
        (cluster.directory / "deploy/clusterID.yml").write_text("clusterId: c1\n")
        with entered(cluster, Credentials("root", "a secret")):
            raise AssertionError("it let us in")


_NATIVE, _CACHING, _SHA256 = b"mysql_native_password", b"caching_sha2_password", b"sha256_password"
_SALT, _UNKNOWN = b"b" * 20, b"\x01\x04"


@pytest.mark.parametrize("plugin", [b"mysql_clear_password", b"dialog"])
def test_no_server_is_sent_the_password_itself(make: Make, plugin: bytes) -> None:
    heard: list[bytes] = []
    with pytest.raises(DeployError, match="asks for the password itself"):
        _logs_in(make, (_greeting(_NATIVE), _switch(plugin, b"Password: ")), heard)
    assert heard and not any(b"a secret" in data for data in heard)


@pytest.mark.parametrize(
    "packets",
    [
        (_greeting(_CACHING), _UNKNOWN),
        (_greeting(_NATIVE), _switch(_CACHING, _SALT), _UNKNOWN),
        (_greeting(_NATIVE), _switch(_SHA256, _SALT)),
        (_greeting(_SHA256),),
        (_greeting(_SHA256, tls=True),),
    ],
)
def test_no_server_gets_the_password_under_a_key_that_anybody_may_have(
    make: Make, packets: tuple[bytes, ...]
) -> None:
    heard: list[bytes] = []
    with pytest.raises(DeployError, match="does not prove that it is the database") as error:
        _logs_in(make, packets, heard)
    assert "mysql_ca" in error.value.cure and "mysql_node" in error.value.cure
    # 0x02 and 0x01 ask for the server's RSA key, under which the password would go next.
    assert not any(b"a secret" in data or data[4:] in (b"\x02", b"\x01") for data in heard)


@pytest.mark.parametrize("first", [
    b"\x0a", b"\x0a8.0.0\0", b"\xff", b"\xff\x01", _greeting(_NATIVE)[:30], b"\x0a\xff\xfe\0" * 9,
    _greeting(_NATIVE).replace(b"8.0.0", b"eight"),
])  # fmt: skip
def test_what_does_not_speak_as_a_database_is_said_to_be_none(make: Make, first: bytes) -> None:
    with pytest.raises(DeployError):
        _logs_in(make, (first,), [])


@pytest.mark.parametrize(
    "greets", [(_greeting(_CACHING),), (_greeting(_NATIVE), _switch(_CACHING, _SALT))]
)
def test_a_server_that_knows_the_account_by_its_scramble_lets_us_in(
    make: Make, greets: tuple[bytes, ...]
) -> None:
    heard: list[bytes] = []
    with pytest.raises(DeployError, match=r"no database answers|was lost"):
        _logs_in(make, (*greets, b"\x01\x03"), heard, leaves=True)  # without its OK
    assert len(heard) == len(greets)


def test_one_changes_at_a_time(outside: Outside) -> None:
    cluster = outside()
    init.init(cluster)
    with (
        opened(cluster, changes=True),
        pytest.raises(Refused, match="another run"),
        opened(cluster, changes=True),
    ):
        raise AssertionError("two at a time")


def test_a_question_in_a_dry_run_calls_no_function_that_writes(outside: Outside) -> None:
    cluster = outside()
    init.init(cluster)
    with opened(cluster) as database:
        database.rows("CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN "
                      "INSERT INTO clusterstatus (status) VALUES ('x'); RETURN 1; END")  # fmt: skip
    with opened(outside(dry_run=True)) as database:
        with pytest.raises(DeployError, match="READ ONLY") as error:
            prompt.run(database, "SELECT f()")
        assert "--dry-run" in error.value.cure
        assert "7" in prompt.run(database, "SELECT 3 + 4")
        assert database.rows("SELECT * FROM clusterstatus") == []


def test_a_server_of_somebody_elses_keeps_its_accounts(outside: Outside, mariadb: MariaDb) -> None:
    mariadb.log.write_bytes(b"")
    init.init(outside())
    assert not [line for line in mariadb.sent() if " USER " in line.upper() or "GRANT" in line]


@pytest.fixture
def tls(mariadb: MariaDb, tmp_path: Path) -> Iterator[Path]:
    """The server offers TLS while the test runs; the certificate that proves it."""
    names = ("-subj", "/CN=db", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *names,
                    "-keyout", mariadb.place / "key", "-out", mariadb.place / "crt"],
                   check=True, capture_output=True)  # fmt: skip
    (mariadb.place / "key").chmod(0o644)
    ca = tmp_path / "ca.pem"
    ca.write_bytes((mariadb.place / "crt").read_bytes())
    mariadb.stop()
    mariadb.start(f"--ssl-cert={mariadb.place}/crt", f"--ssl-key={mariadb.place}/key")
    yield ca
    mariadb.stop()
    mariadb.start()


@pytest.mark.parametrize("more", ["", "mysql_ca: ca.pem\n"])
def test_tls_is_used_where_it_is_offered(
    tls: Path, outside: Outside, more: str, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = outside(more)
    init.init(cluster)
    with opened(cluster) as database:
        assert database.rows("SHOW STATUS LIKE 'Ssl_version'")[0]["Value"].startswith("TLS")
    assert "not encrypted" not in capsys.readouterr().err


def test_a_server_without_the_right_certificate_gets_no_password(
    tls: Path, outside: Outside, ca: bytes, mariadb: MariaDb
) -> None:
    tls.write_bytes(ca)
    cluster = outside("mysql_ca: ca.pem\n")
    before = mariadb.log.read_bytes()
    with pytest.raises(DeployError, match="mysql_ca"):
        init.init(cluster)
    assert b"Connect\troot@127.0.0.1" not in mariadb.log.read_bytes().removeprefix(before)


def test_a_connection_in_the_clear_is_said_to_be_one(
    outside: Outside, capsys: pytest.CaptureFixture[str]
) -> None:
    init.init(outside())
    assert "is not encrypted" in capsys.readouterr().err


def test_a_server_that_dies_in_between_is_said_to_be_lost(
    outside: Outside, mariadb: MariaDb
) -> None:
    cluster = outside()
    init.init(cluster)
    try:
        with opened(cluster) as database:
            mariadb.stop("kill")
            with pytest.raises(DeployError, match="was lost") as error:
                database.apply([Change("a", "INSERT INTO clusterstatus (status) VALUES ('x')")])
            assert "run this again" in error.value.cure
    finally:
        mariadb.start()
    with opened(cluster) as database:
        assert database.rows("SELECT * FROM clusterstatus") == []
