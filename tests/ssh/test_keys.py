from __future__ import annotations

import subprocess
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)
from paramiko.pkey import UnknownKeyType

from dlws.core.errors import UsageError
from dlws.ssh.client import Ssh
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keys import Keys
from tests.support.agent import agent
from tests.support.sshd import Server


@pytest.mark.parametrize(("name", "content", "said", "cure"), [
    ("id.pub", b"ssh-ed25519 AAAAC3Nza me\n", "is a public key", "ssh.key: {place}/id in"),
    ("id", b"ecdsa-sha2-nistp256 AAAA me\n", "is a public key", "the path of the private key"),
    ("id", b" \n", "cannot read this private key: it is empty", "ssh-keygen"),
    ("id", "-----BEGIN OPENSSH".encode("utf-16"), "does not begin with -----BEGIN", "anew"),
    ("id", b"\n-----BEGIN OPENSSH", "does not begin with -----BEGIN", "anew"),
    ("my key.ppk", b"PuTTY-User-Key-File-3: ssh-ed25519\n", "a key for PuTTY",
     "puttygen '{place}/my key.ppk' -O private-openssh -o '{place}/my key'"),
])  # fmt: skip
def test_what_is_no_private_key_for_openssh_is_said(
    tmp_path: Path, name: str, content: bytes, said: str, cure: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UsageError, match=said) as caught:
        Keys().load(tmp_path / name)
    assert cure.format(place=tmp_path) in caught.value.cure


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
    (tmp_path / "key").write_text("one of another kind")
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
