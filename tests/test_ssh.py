"""The SSH connection, against a real OpenSSH server."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from paramiko.common import MSG_CHANNEL_CLOSE, MSG_CHANNEL_DATA, MSG_CHANNEL_EOF
from paramiko.pkey import UnknownKeyType

from dlws.core.errors import DeployError, UsageError
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import ConnectionFailed, LoginRefused, Target
from dlws.ssh.hostkeys import HostKeyChanged, HostKeys
from dlws.ssh.keys import Keys
from dlws.ssh.transport import Transport
from tests.conftest import Server
from tests.farm.faults import Fault, Wrong
from tests.farm.fixtures import StartFarm, start_farm

__all__ = ["start_farm"]


def test_runs_a_command_and_gives_its_streams_and_status(sshd: Server) -> None:
    result = sshd.connect().run("echo out; echo err >&2; exit 7")
    assert (result.code, result.out, result.err) == (7, b"out\n", b"err\n")


def test_one_connection_serves_many_commands(sshd: Server) -> None:
    connection = sshd.connect()
    first = connection.run("echo $PPID").out
    assert connection.run("echo $PPID").out == first


@pytest.mark.parametrize("kind", [MSG_CHANNEL_DATA, MSG_CHANNEL_EOF])
def test_input_that_is_late_for_a_closed_channel_does_not_end_the_connection(
    sshd: Server, monkeypatch: pytest.MonkeyPatch, kind: int
) -> None:
    send, here = Transport._send_user_message, threading.current_thread()

    def late(transport: Transport, message: paramiko.Message) -> None:
        if message.asbytes()[0] == kind and threading.current_thread() is here:
            time.sleep(0.3)
        send(transport, message)

    monkeypatch.setattr(Transport, "_send_user_message", late)
    connection = sshd.connect()
    seen = {connection.run("echo $PPID; exec <&-", stdin=b"unread").out for _ in range(3)}
    assert len(seen) == 1, "one connection"


def broken(*_: object) -> None:
    raise EOFError


def test_a_link_that_breaks_when_a_command_is_done_takes_nothing_from_its_result(
    sshd: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine that reboots may be gone when its last command's channel is closed."""
    table, connection = Transport._channel_handler_table, sshd.connect()
    handle = table[MSG_CHANNEL_CLOSE]

    def late(*words: object) -> None:
        time.sleep(0.3)
        handle(*words)

    before = connection.run("echo $PPID").text
    monkeypatch.setitem(table, MSG_CHANNEL_CLOSE, late)
    packetizer = connection._transport and connection._transport.packetizer
    result = connection.run(
        "echo out", echo=lambda *_: monkeypatch.setattr(packetizer, "send_message", broken)
    )
    assert (result.code, result.text) == (0, "out")
    assert connection.run("echo $PPID").text != before, "another connection"


def test_what_goes_through_a_jump_host_can_be_closed_when_that_is_gone(
    sshd: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jump = sshd.connect()
    inner = Ssh(sshd.target(), HostKeys(tmp_path / "known"), Keys(), via=jump)
    inner.run("true")
    assert jump._transport
    monkeypatch.setattr(jump._transport.packetizer, "send_message", broken)
    inner.close()
    assert inner.run("echo anew").text == "anew"


def test_large_output_on_both_streams_does_not_block(sshd: Server) -> None:
    size = 8 << 20
    result = sshd.connect().run(f"head -c {size} /dev/zero; head -c {size} /dev/zero >&2")
    assert (len(result.out), len(result.err), result.lost) == (size, size, 0)


def test_only_the_end_of_endless_output_is_kept(sshd: Server) -> None:
    result = sshd.connect().run("head -c 50000000 /dev/zero; echo the end", keep=1000)
    assert len(result.out) == 1000
    assert result.out.endswith(b"the end\n")
    assert result.lost == 50000000 + 8 - 1000


def test_large_input_while_output_flows_back(sshd: Server) -> None:
    data = os.urandom(1 << 20) * 20
    seen = hashlib.sha256()
    result = sshd.connect().run("cat", stdin=data, echo=lambda _, piece: seen.update(piece), keep=1)
    assert result.ok
    assert seen.hexdigest() == hashlib.sha256(data).hexdigest()


def test_input_may_come_in_pieces_and_stay_unread(sshd: Server) -> None:
    pieces = (b"x" * 100_000 for _ in range(100))
    assert sshd.connect().run("exit 3", stdin=pieces).code == 3
    assert sshd.connect().run("wc -c", stdin=iter([b"ab", b"", b"c"])).text == "3"


def test_input_that_cannot_be_read_here_is_no_end_of_input(sshd: Server) -> None:
    def broken() -> Iterator[bytes]:
        yield b"begin"
        raise PermissionError(13, "Permission denied", "/etc/secret")

    with pytest.raises(PermissionError):
        sshd.connect().run("cat; sleep 60", stdin=broken())


@pytest.mark.parametrize(("name", "code"), [("KILL", 137), ("TERM", 143), ("USR1", 138)])
def test_a_command_that_a_signal_ended_has_a_status(sshd: Server, name: str, code: int) -> None:
    assert sshd.connect().run(f"kill -{name} $$").code == code


def test_idle_timeout_is_noticed_without_keepalives(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match=r"no output for 0\.2 s"):
        sshd.connect(idle_timeout=0.2, keepalive=0).run("sleep 60")


def test_those_who_wait_for_a_dead_jump_host_do_not_try_it_anew(
    sshd: Server, tmp_path: Path
) -> None:
    jump = sshd.connect(port=1, retries=0)
    errors = []
    for _ in range(2):
        inner = Ssh(sshd.target(), HostKeys(tmp_path / "known"), Keys(), via=jump)
        with pytest.raises(ConnectionFailed, match="refuses connections on port 1") as caught:
            inner.run("true")
        errors.append(caught.value.__cause__ and caught.value)
    assert errors[0] is errors[1]


def test_what_a_jump_host_cannot_reach_is_named(sshd: Server, tmp_path: Path) -> None:
    far = Ssh(sshd.target(port=1), HostKeys(tmp_path / "known"), Keys(), via=sshd.connect())
    with pytest.raises(ConnectionFailed, match=r"127\.0\.0\.1 cannot reach 127\.0\.0\.1 port 1"):
        far.run("true")


def test_a_key_with_a_passphrase_is_left_to_the_agent(sshd: Server, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.write_bytes(sshd.key.read_bytes())
    locked.chmod(0o600)
    change: list[str | Path] = ["ssh-keygen", "-q", "-p", "-f", locked, "-P", "", "-N"]
    subprocess.run([*change, "a passphrase"], check=True)
    with pytest.raises(UsageError, match="has a passphrase"):
        sshd.connect(key=locked).run("true")
    open_copy = tmp_path / "open"
    open_copy.write_bytes(sshd.key.read_bytes())
    open_copy.chmod(0o600)
    with agent(open_copy):
        through = Ssh(sshd.target(key=locked), HostKeys(tmp_path / "known"), Keys(), agent=True)
        assert through.run("echo in").text == "in"
        through.close()


@contextlib.contextmanager
def agent(key: Path, **environment: str) -> Iterator[None]:
    """An ssh-agent that holds a key; the environment names it. ssh-add gets `environment`, too."""
    socket = key.with_suffix(".agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    before = os.environ.get("SSH_AUTH_SOCK")
    os.environ["SSH_AUTH_SOCK"] = str(socket)
    try:
        deadline = time.monotonic() + 10
        while not socket.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        subprocess.run(["ssh-add", "-q", key], check=True, env={**os.environ, **environment})
        yield
    finally:
        os.environ.pop("SSH_AUTH_SOCK")
        if before is not None:
            os.environ["SSH_AUTH_SOCK"] = before
        process.terminate()
        process.wait()


def test_output_that_is_no_text_survives(sshd: Server) -> None:
    assert sshd.connect().run(r"printf '\377\000\376'").out == b"\xff\x00\xfe"


def test_a_command_that_kills_its_connection_is_lost(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match="lost") as caught:
        sshd.connect().run("kill -9 $PPID")
    assert caught.value.lost


def test_closing_from_another_thread_ends_a_command(sshd: Server) -> None:
    connection = sshd.connect()
    started = threading.Event()

    def close() -> None:
        started.wait()
        connection.close()

    thread = threading.Thread(target=close)
    thread.start()
    with pytest.raises(ConnectionFailed):
        connection.run("echo go; sleep 60", echo=lambda *_: started.set())
    thread.join()


def test_what_waits_for_a_link_to_heal_is_dropped_at_the_end(sshd: Server) -> None:
    """Else it would reach the machine when somebody else is at work there."""
    connection = sshd.connect()
    connection.run("true")
    sock = connection._transport and connection._transport.sock
    assert isinstance(sock, socket.socket)
    linger = sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
    assert struct.unpack("ii", linger) == (1, 0)


def test_idle_timeout_names_the_silence(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match=r"no output for 0\.2 s"):
        sshd.connect(idle_timeout=0.2, keepalive=0.1).run("sleep 60")


def test_a_silent_command_on_a_living_machine_is_waited_for(sshd: Server) -> None:
    assert sshd.connect(keepalive=0.05).run("sleep 1; echo done").text == "done"


def test_an_unknown_host_key_is_learned_and_a_changed_one_refused(
    sshd: Server, tmp_path: Path
) -> None:
    known = tmp_path / "known_hosts"
    Ssh(sshd.target(), HostKeys(known), Keys()).run("true")
    assert known.read_text().startswith(f"[127.0.0.1]:{sshd.port} ssh-ed25519 ")
    assert known.stat().st_mode & 0o777 == 0o600
    other = known.read_text().split()
    changed = other[2][:-4] + ("AAAA" if other[2][-4:] != "AAAA" else "BBBB")
    known.write_text(f"{other[0]} {other[1]} {changed}\n")
    with pytest.raises(HostKeyChanged, match=r"host key of .* changed") as caught:
        Ssh(sshd.target(), HostKeys(known), Keys()).run("true")
    assert "deploy.py hosts trust" in caught.value.cure


def test_a_pinned_key_must_be_the_one_shown(sshd: Server, tmp_path: Path) -> None:
    known = HostKeys(tmp_path / "none")
    with pytest.raises(HostKeyChanged, match="is not the configured SHA256:other"):
        Ssh(sshd.target(host_key="SHA256:other"), known, Keys()).run("true")
    assert not (tmp_path / "none").exists()


def test_the_wrong_key_is_named_as_such(sshd: Server, tmp_path: Path) -> None:
    from tests.conftest import _write_key

    _write_key(tmp_path / "other")
    with pytest.raises(ConnectionFailed, match="does not let root in"):
        sshd.connect(key=tmp_path / "other").run("true")


def test_an_agent_with_more_keys_than_sshd_looks_at_is_not_let_in(
    sshd: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [paramiko.ECDSAKey.generate() for _ in range(8)]
    monkeypatch.setattr(Ssh, "_private_keys", lambda *_: keys)
    with pytest.raises(LoginRefused, match="does not let root in"):
        sshd.connect().run("true")


def test_a_key_that_others_can_read_is_refused(sshd: Server, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(sshd.key.read_bytes())
    key.chmod(0o644)
    with pytest.raises(UsageError, match="others can read") as caught:
        sshd.connect(key=key).run("true")
    assert caught.value.cure == f"chmod 600 {key}"


def openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


def test_a_key_in_the_form_of_openssl_lets_in(sshd: Server, tmp_path: Path) -> None:
    key = tmp_path / "key"
    made = load_ssh_private_key(sshd.key.read_bytes(), None)
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    key.chmod(0o600)
    assert sshd.connect(key=key).run("echo in").text == "in"
    openssl("pkey", "-in", key, "-aes256", "-passout", "pass:x", "-out", tmp_path / "locked")
    with pytest.raises(UsageError, match="has a passphrase"):
        sshd.connect(key=tmp_path / "locked").run("true")


def test_a_key_of_a_kind_that_paramiko_lacks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def from_path(_: Path) -> None:
        raise UnknownKeyType(key_type=dict, key_bytes=b"")  # DSA; not every machine can make one

    (tmp_path / "key").touch(0o600)
    monkeypatch.setattr(paramiko.PKey, "from_path", from_path)
    with pytest.raises(UsageError, match="keys of this kind cannot log in: dict"):
        Keys().load(tmp_path / "key")


@pytest.mark.parametrize("kind", ["ed448", "x25519", "nothing"])
def test_a_key_of_no_use_is_named(sshd: Server, tmp_path: Path, kind: str) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"")
    if kind != "nothing":
        openssl("genpkey", "-algorithm", kind, "-out", key)
    key.chmod(0o600)
    with pytest.raises(UsageError, match=f"{key}: cannot read this private key"):
        sshd.connect(key=key).run("true")


def test_without_key_and_password_the_cure_is_to_make_one(sshd: Server, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key or password"):
        sshd.connect(key=tmp_path / "none").run("true")


def test_a_closed_port_is_refused_and_a_wrong_name_unknown(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match="refuses connections on port 1"):
        sshd.connect(port=1, retries=1).run("true")
    with pytest.raises(DeployError, match="has no address"):
        sshd.connect(address="no-such-name.invalid").run("true")


def test_a_busy_sshd_that_closes_is_asked_again(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(1)
    host = farm.hosts[0]
    (tmp_path / "known_hosts").write_text(farm.known_hosts)
    for fault in (Fault.CLOSE, Fault.RESET, Fault.LEAVE):
        farm.become({1: Wrong(fault, once=True)})
        target = Target(host.address, host.port, key=farm.key)
        connection = Ssh(target, HostKeys(tmp_path / "known_hosts"), Keys())
        assert connection.run("echo in").out == b"in\n"
        connection.close()
        assert farm.settle()[host.name]["connections"] == 2


@pytest.mark.parametrize(
    ("fault", "words", "connections"),
    [
        (Fault.LEAVE, "closes the connection when root logs in", 3),
        (Fault.NONSENSE, r"it sent what cannot be read \(UnicodeDecodeError\)", 1),
    ],
)
def test_a_broken_sshd_is_a_failure_of_its_machine(
    start_farm: StartFarm, tmp_path: Path, fault: Fault, words: str, connections: int
) -> None:
    farm = start_farm(1, faults={1: fault.value})
    host = farm.hosts[0]
    (tmp_path / "known_hosts").write_text(farm.known_hosts)
    target = Target(host.address, host.port, key=farm.key)
    with pytest.raises(ConnectionFailed, match=words) as caught:
        Ssh(target, HostKeys(tmp_path / "known_hosts"), Keys()).run("true")
    assert not isinstance(caught.value, LoginRefused)
    assert farm.settle()[host.name]["connections"] == connections


def test_through_a_jump_host(sshd: Server, tmp_path: Path) -> None:
    jump = sshd.connect()
    inner = Ssh(sshd.target(), HostKeys(tmp_path / "known"), Keys(), via=jump)
    assert inner.run("echo $SSH_CONNECTION").text.startswith("127.0.0.1 ")
    inner.close()
    assert jump.run("echo still open").text == "still open"


def test_a_machine_that_hangs_before_it_takes_input_is_given_up(sshd: Server) -> None:
    connection = sshd.connect(keepalive=0.3, connect_timeout=1)
    server = int(connection.run("echo $PPID").text)
    os.kill(server, signal.SIGSTOP)
    try:
        with pytest.raises(ConnectionFailed):
            connection.run("cat", b"short")
    finally:
        os.kill(server, signal.SIGKILL)
