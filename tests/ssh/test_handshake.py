from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import paramiko
import pytest

from dlws.core.errors import DeployError, UsageError
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import ConnectionFailed, LoginRefused, Target
from dlws.ssh.hostkeys import HostKeyChanged, HostKeys
from dlws.ssh.keys import Keys
from tests.support.farm.faults import Fault, Wrong
from tests.support.farm.fixtures import StartFarm
from tests.support.sshd import ADDRESSES, Server, serving, write_key

pytestmark = pytest.mark.sshd


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
    from tests.support.sshd import write_key

    write_key(tmp_path / "other")
    with pytest.raises(ConnectionFailed, match="does not let root in"):
        sshd.connect(key=tmp_path / "other").run("true")


def test_an_agent_with_more_keys_than_sshd_looks_at_is_not_let_in(
    sshd: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [paramiko.ECDSAKey.generate() for _ in range(8)]
    monkeypatch.setattr(Ssh, "_private_keys", lambda *_: keys)
    with pytest.raises(LoginRefused, match="does not let root in"):
        sshd.connect().run("true")


def test_without_key_and_password_the_cure_is_to_make_one(sshd: Server, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no key or password"):
        sshd.connect(key=tmp_path / "none").run("true")


def test_a_closed_port_is_refused_and_a_wrong_name_unknown(sshd: Server) -> None:
    with pytest.raises(ConnectionFailed, match="refuses connections on port 1"):
        sshd.connect(port=1, retries=1).run("true")
    with pytest.raises(DeployError, match="has no address"):
        sshd.connect(address="no-such-name.invalid").run("true")


@pytest.mark.parametrize(("more", "missing"), [
    ("Ciphers 3des-cbc,aes128-cbc\n", "cipher algorithm of ours: it offers 3des-cbc"),
    ("Ciphers aes128-ctr\nMACs hmac-md5,hmac-sha1-96,hmac-sha1\n", "MAC algorithm of ours"),
])  # fmt: skip
def test_weak_algorithms_are_offered_where_the_configuration_says_so(
    more: str, missing: str, tmp_path: Path
) -> None:
    with serving(tmp_path, more=more, addresses=ADDRESSES[:1]) as old:
        with pytest.raises(ConnectionFailed, match=f"it has no {missing}") as caught:
            old.connect().run("true")
        assert "ssh.legacy_algorithms: true" in caught.value.cure
        assert old.connect(legacy_algorithms=True).run("echo in").text == "in"


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


@pytest.mark.parametrize(("more", "told"), [
    ("Ciphers chacha20-poly1305@openssh.com\n", "cipher algorithm of ours: it offers chacha20"),
    ("KexAlgorithms diffie-hellman-group14-sha1\n", "key exchange algorithm of ours: it offers d"),
    ("MACs umac-128-etm@openssh.com\nCiphers aes128-ctr\n", "MAC algorithm of ours: it offers um"),
])  # fmt: skip
def test_a_server_with_no_algorithm_of_ours_is_told_with_what_it_offers(
    more: str, told: str, tmp_path: Path
) -> None:
    with serving(tmp_path, more=more, addresses=ADDRESSES[:1]) as odd:
        with pytest.raises(ConnectionFailed, match=f"it has no {told}.*; dlws accepts ") as caught:
            odd.connect().run("true")
        assert "overloaded" not in caught.value.cure


def test_a_server_with_an_old_kind_of_host_key_alone_is_told_so(tmp_path: Path) -> None:
    generate = ["ssh-keygen", "-q", "-t", "rsa", "-N", "", "-f", str(tmp_path / "rsa")]
    subprocess.run(generate, check=True)
    more = f"HostKey {tmp_path}/rsa\nHostKeyAlgorithms ssh-rsa\n"
    with (
        serving(tmp_path, more=more, addresses=ADDRESSES[:1]) as odd,
        pytest.raises(ConnectionFailed, match="no host key algorithm of ours: it offers ssh-rsa"),
    ):
        odd.connect().run("true")


def test_a_key_that_is_configured_and_missing_is_named(tmp_path: Path) -> None:
    with (
        serving(tmp_path, addresses=ADDRESSES[:1]) as server,
        pytest.raises(UsageError, match=f"{tmp_path}/gone does not exist") as caught,
    ):
        server.connect(key=tmp_path / "gone").run("true")
    assert "ssh.key" in caught.value.cure


def test_a_user_certificate_beside_the_key_lets_in(tmp_path: Path) -> None:
    write_key(tmp_path / "ca")
    more = f"TrustedUserCAKeys {tmp_path}/ca.pub\nAuthorizedPrincipalsFile none\n"
    with serving(tmp_path, more=more, addresses=ADDRESSES[:1]) as server:
        write_key(tmp_path / "certified")
        with pytest.raises(LoginRefused):
            server.connect(key=tmp_path / "certified").run("true")
        user = pwd.getpwuid(os.getuid()).pw_name
        sign = ["ssh-keygen", "-q", "-s", "ca", "-I", "who", "-n", user, "certified.pub"]
        subprocess.run(sign, cwd=tmp_path, check=True)
        assert server.connect(key=tmp_path / "certified").run("echo in").text == "in"


def test_a_certificate_that_has_ended_keeps_no_key_out_and_is_named(tmp_path: Path) -> None:
    write_key(tmp_path / "ca")
    with serving(tmp_path, addresses=ADDRESSES[:1]) as server:
        write_key(tmp_path / "other")
        sign = ["ssh-keygen", "-q", "-s", "ca", "-I", "who", "-V", "20200101:20200102"]
        for name in (server.key.name, "other"):
            subprocess.run([*sign, f"{name}.pub"], cwd=tmp_path, check=True)
        assert server.connect().run("echo in").text == "in"
        with pytest.raises(LoginRefused, match=r"other ended on 2020-01-0[12]") as caught:
            server.connect(key=tmp_path / "other").run("true")
        assert "signed anew" in caught.value.cure


def test_algorithms_of_ssh_config_are_kept_to(tmp_path: Path) -> None:
    with serving(tmp_path, more="Ciphers aes128-cbc\n", addresses=ADDRESSES[:1]) as odd:
        allowed = (("ciphers", "+aes128-cbc"), ("kex", "ecdh-sha2-nistp256"))
        assert odd.connect(algorithms=allowed).run("echo in").text == "in"
        with pytest.raises(UsageError, match="allows no cipher algorithm"):
            odd.connect(algorithms=(("ciphers", "chacha20-poly1305@openssh.com"),)).run("true")
