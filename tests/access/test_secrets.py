"""Secrets at rest: encrypted and back, in use, with the wrong passphrase, and killed half-way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.nodes.directory import KEY, generate_key
from dlws.shell.quoting import sh
from tests.support import ROOT
from tests.support.agent import agent
from tests.support.deploy import Deploy
from tests.support.sshd import Server
from tests.support.vaults import PASSPHRASE, plain, vault

ENVIRONMENT = {"DLWS_SECRETS_KEY": PASSPHRASE}

ADMIN = b"apiVersion: v1\nclusters: []\n# c4nary-admin\n"

SECRETS = {
    "rootpasswd": b"c4nary-root\n",
    "admin.conf": ADMIN,
    "kubectl.conf": ADMIN,
    "encryption.yaml": b"kind: EncryptionConfiguration  # c4nary-key\n",
}


@pytest.fixture
def cluster(deploy: Deploy, sshd: Server) -> Deploy:
    """A cluster with everything that deploy/ may keep; its key lets in on the nodes."""
    place = deploy.directory / "deploy/sshkey"
    place.mkdir(parents=True, mode=0o700)
    shutil.copy(sshd.key, deploy.directory / KEY)
    shutil.copy(sshd.key.with_suffix(".pub"), deploy.directory / f"{KEY}.pub")
    for name, content in SECRETS.items():
        (place / name).write_bytes(content)
    (deploy.directory / "deploy/mysql").write_text("c4nary-mysql\n")
    for path in (deploy.directory / "deploy").rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    config = deploy.directory / "config.yaml"
    text = config.read_text().replace(f"key: {sshd.key}, ", "")
    config.write_text(f"{text}mysql_password: file:deploy/mysql\n")
    return deploy


def states(cluster: Deploy, code: int = 0) -> dict[str, str]:
    done = cluster("secrets", "status", "--output", "json", code=code)
    return {Path(p).name: state for p, state in json.loads(done.stdout)["files"].items()}


NAMES = {"id_ed25519", "rootpasswd", "mysql", *SECRETS}


def test_nothing_is_plain_once_it_is_encrypted_and_all_of_it_works(cluster: Deploy) -> None:
    assert set(plain(cluster.directory)) == NAMES
    assert states(cluster) == dict.fromkeys(NAMES, "plain")
    cluster("--dry-run", "secrets", "encrypt")
    assert set(plain(cluster.directory)) == NAMES
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    assert plain(cluster.directory) == []
    assert states(cluster) == dict.fromkeys(NAMES, "encrypted")
    done = cluster("execonall", "echo", "in", environment=ENVIRONMENT)
    assert done.stdout.count("in\n") == 4
    again = cluster("secrets", "encrypt", environment=ENVIRONMENT)
    assert "changed" not in again.stderr
    assert plain(cluster.directory) == []
    modes = {p.stat().st_mode & 0o077 for p in (cluster.directory / "deploy/sshkey").iterdir()}
    assert modes <= {0, 0o044}


def test_decrypting_gives_back_what_there_was(cluster: Deploy) -> None:
    key = cluster.directory / KEY
    before = subprocess.check_output(["ssh-keygen", "-y", "-f", key]).split()[:2]
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    cluster("secrets", "decrypt", environment=ENVIRONMENT)
    for name, content in SECRETS.items():
        assert (cluster.directory / "deploy/sshkey" / name).read_bytes() == content
    assert (cluster.directory / "deploy/mysql").read_text() == "c4nary-mysql\n"
    assert subprocess.check_output(["ssh-keygen", "-y", "-f", key]).split()[:2] == before
    assert not (cluster.directory / "deploy/encrypted").exists()
    cluster("execonall", "true")


def test_the_ssh_key_is_one_that_openssh_opens(cluster: Deploy) -> None:
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    key = cluster.directory / KEY
    words = ["ssh-keygen", "-y", "-P", PASSPHRASE, "-f", str(key)]
    public = (cluster.directory / f"{KEY}.pub").read_bytes()
    assert subprocess.check_output(words).split()[:2] == public.split()[:2]


def test_ssh_add_takes_the_encrypted_key_and_nobody_is_asked_for_a_passphrase_then(
    cluster: Deploy, tmp_path: Path
) -> None:
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    config = cluster.directory / "config.yaml"
    config.write_text(config.read_text().replace("ssh: {", "ssh: {agent: true, "))
    ask = tmp_path / "ask"
    ask.write_text(f"#!/bin/sh\nprintf '%s\\n' {sh(PASSPHRASE)}\n")
    ask.chmod(0o700)
    with agent(cluster.directory / KEY, SSH_ASKPASS=str(ask), SSH_ASKPASS_REQUIRE="force"):
        assert "in\n" in cluster("execonall", "echo in").stdout
    told = cluster("execonall", "echo in", code=2).stderr
    assert "no passphrase is given" in told


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"DLWS_SECRETS_KEY": "wrong"}, "the passphrase does not open"),
        ({"DLWS_SECRETS_KEY": ""}, "no passphrase is given"),
    ],
)
def test_without_the_passphrase_nothing_is_done(
    environment: dict[str, str], says: str, cluster: Deploy
) -> None:
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    places = list((cluster.directory / "deploy/sshkey").iterdir())
    before = {path: path.read_bytes() for path in places}
    for words in (["execonall", "true"], ["secrets", "decrypt"], ["secrets", "encrypt"]):
        if words == ["secrets", "encrypt"] and not environment["DLWS_SECRETS_KEY"]:
            continue
        done = cluster(*words, code=2, environment=environment)
        assert says in done.stderr and "secrets_key" in done.stderr
        assert "wrong" not in done.stderr
    assert before == {path: path.read_bytes() for path in places}


def test_the_passphrase_may_come_from_a_command(cluster: Deploy) -> None:
    config = cluster.directory / "config.yaml"
    (cluster.directory / "deploy/key").write_text("from a file\n")
    (cluster.directory / "deploy/key").chmod(0o600)
    config.write_text(config.read_text() + "secrets_key: cmd:cat deploy/key\n")
    cluster("secrets", "encrypt")
    cluster("execonall", "true")
    config.write_text(config.read_text().replace("cmd:cat deploy/key", "file:deploy/key"))
    cluster("execonall", "true")
    cluster("secrets", "decrypt")
    assert set(plain(cluster.directory)) == NAMES


def test_what_is_written_later_is_encrypted_too(cluster: Deploy) -> None:
    for name in ("id_ed25519", "id_ed25519.pub"):
        (cluster.directory / "deploy/sshkey" / name).unlink()
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    cluster("build", environment=ENVIRONMENT)
    assert states(cluster)["id_ed25519"] == "encrypted"
    one = vault(cluster.directory)
    one.write(cluster.directory / "deploy/sshkey/admin.conf", ADMIN)
    assert plain(cluster.directory) == []
    assert one.read(cluster.directory / "deploy/sshkey/admin.conf") == ADMIN


def test_a_plain_secret_beside_encrypted_ones_is_told(cluster: Deploy) -> None:
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    (cluster.directory / "deploy/sshkey/rootpasswd").write_text("c4nary\n")
    assert states(cluster, code=5)["rootpasswd"] == "plain"
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    assert plain(cluster.directory) == []


def test_a_key_with_a_passphrase_of_its_own_is_left(cluster: Deploy) -> None:
    key = cluster.directory / KEY
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "another", "-f", key], check=True)
    before = key.read_bytes()
    cluster("secrets", "encrypt", environment=ENVIRONMENT)
    done = cluster("execonall", "true", code=2, environment=ENVIRONMENT)
    assert "this private key has a passphrase" in done.stderr
    done = cluster("secrets", "decrypt", environment=ENVIRONMENT)
    assert "has a passphrase of its own" in done.stderr
    assert key.read_bytes() == before and set(plain(cluster.directory)) == NAMES - {"id_ed25519"}


KILL = """
import os, pathlib, sys
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.ciphers import aead  # once for all forks
from cryptography.hazmat.primitives.kdf import scrypt
from dlws.access import secrets
from dlws.runs.gate import Gate
from dlws.runs.console import Console
from dlws.secrets import vault
from dlws.secrets.vault import Vault
vault._COST = int(sys.argv[2])
lock = serialization.PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(1).build
key_bytes = vault._key_bytes
def cheap(key, encryption):
    best = isinstance(encryption, serialization.BestAvailableEncryption)
    return key_bytes(key, lock(encryption.password) if best else encryption)
vault._key_bytes = cheap
def work(directory, verb, number, when):
    left = [int(number)]
    def dies(function):
        def call(*words):
            left[0] -= 1
            if left[0] == 0 and when == "before":
                os.kill(os.getpid(), 9)
            result = function(*words)
            if left[0] == 0:
                os.kill(os.getpid(), 9)
            return result
        return call
    pathlib.Path.replace = dies(pathlib.Path.replace)
    plain_unlink = pathlib.Path.unlink
    deadly = dies(plain_unlink)
    def unlink(path, missing_ok=False):
        return deadly(path) if path.name == "encrypted" else plain_unlink(path, missing_ok)
    pathlib.Path.unlink = unlink
    directory = pathlib.Path(directory)
    paths = [directory / "deploy/sshkey" / name for name in secrets.NAMES]
    paths = [path for path in paths if path.exists()]
    console = Console()
    getattr(secrets, verb)(Vault(directory, lambda: sys.argv[1]), paths, console, Gate(console))
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        work(*line.split())
        break
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.__stdout__, flush=True)
"""


class Killer:
    """Encrypts and decrypts, each time in a process of its own, a fork of one that has imported."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def killed(self, directory: Path, verb: str, number: int, when: str) -> bool:
        """Whether it was killed around its numberth change of a file; 0 is none."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(f"{directory} {verb} {number} {when}\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in (0, -9)
        return code == -9


COST = 2
"""scrypt's, and bcrypt's is 1: what a guess costs has no part in what a kill leaves."""


@pytest.fixture
def killer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Killer]:
    monkeypatch.setattr("dlws.secrets.vault._COST", COST)
    words = [sys.executable, "-c", KILL, PASSPHRASE, str(COST)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, text=True, stdin=pipe, stdout=pipe) as process:
        yield Killer(process)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("verb", ["encrypt", "decrypt"])
def test_a_kill_at_any_file_loses_nothing(
    verb: str, when: str, killer: Killer, tmp_path: Path
) -> None:
    kills = 0
    for number in range(1, 20):
        directory = tmp_path / str(number)
        place = directory / "deploy/sshkey"
        place.mkdir(parents=True)
        private, public = generate_key("x")
        wanted = {**SECRETS, "id_ed25519": private}
        for name, content in wanted.items():
            (place / name).write_bytes(content)
        if verb == "decrypt":
            assert not killer.killed(directory, "encrypt", 0, when)
            assert plain(directory) == []
        alive = not killer.killed(directory, verb, number, when)
        kills += not alive
        found = vault(directory)
        for name, content in SECRETS.items():
            assert found.read(place / name) == content
        key = found.read(place / "id_ed25519")
        assert _public(key, tmp_path) == public.split()[1]
        assert not killer.killed(directory, verb, 0, when)
        assert set(plain(directory)) == (set() if verb == "encrypt" else set(wanted))
        assert {path.name for path in place.iterdir()} == set(wanted)
        if alive:
            break
    assert kills == len(wanted) + 1  # each file, and the mark


def _public(key: bytes, place: Path) -> bytes:
    path = place / "key"
    path.touch(mode=0o600)
    path.write_bytes(key)
    return subprocess.check_output(["ssh-keygen", "-y", "-P", "", "-f", path]).split()[1]


def test_a_running_command_holds_off_encryption(cluster: Deploy) -> None:
    import fcntl

    cluster("execonall", "true")
    handle = os.open(cluster.directory / "deploy/lock", os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        cluster("secrets", "encrypt", code=4, environment=ENVIRONMENT)
    finally:
        os.close(handle)
    assert set(plain(cluster.directory)) == NAMES
