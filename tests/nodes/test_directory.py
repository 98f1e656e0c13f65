"""deploy/: made once, private, and of one cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.core.localfiles import write
from dlws.nodes.directory import KEY, build, check_owner
from tests.support.deploy import Deploy
from tests.support.trees import modes


@pytest.mark.usefixtures("open_umask")
def test_everything_is_private_whatever_the_umask(tmp_path: Path) -> None:
    build(tmp_path, "a")
    write(tmp_path / "deploy/etc/hosts", b"x", 0o644)
    assert modes(tmp_path) == {
        "deploy": 0o700, "deploy/etc": 0o700, "deploy/etc/hosts": 0o644,
        "deploy/clusterID.yml": 0o600, "deploy/sshkey": 0o700,
        KEY: 0o600, f"{KEY}.pub": 0o644,
    }  # fmt: skip


PUBLIC = {f"{KEY}.pub", "deploy/etc/hosts"}

"""Others may read these: what ssh-keygen makes so, and what nodes get with the mode it has here."""


@pytest.mark.usefixtures("open_umask")
def test_nothing_that_commands_leave_in_deploy_is_for_others(deploy: Deploy) -> None:
    (deploy.directory / "deploy/sshkey").mkdir(parents=True)
    (deploy.directory / "deploy/sshkey/rootpasswd").write_text("root-password\n")
    script = deploy.directory / "s.sh"
    script.write_text("echo hello\n")
    deploy("build")
    deploy("hosts")
    deploy("-y", "hosts", "trust")
    deploy("execonall", "echo hello")
    deploy("sshkey", "install")
    deploy("--nodes", "w1", "runscriptonall", str(script))
    deploy("--nodes", "w1", "execonall", "false", code=1)
    deploy("secrets", "encrypt", environment={"DLWS_SECRETS_KEY": "passphrase"})
    found = modes(deploy.directory)
    kept = {path: mode for path, mode in found.items() if path.startswith("deploy")}
    for expected in ("deploy/lock", "deploy/runs", "deploy/sshkey/known_hosts", "deploy/encrypted"):
        assert expected in kept
    assert {path for path, mode in kept.items() if path.endswith((".log", "journal.jsonl"))}
    assert {path for path, mode in kept.items() if mode & 0o077} == PUBLIC
    assert {path for path, mode in kept.items() if mode & 0o022} == set()


def test_a_second_build_makes_nothing(tmp_path: Path) -> None:
    assert build(tmp_path, "a") == ["deploy/clusterID.yml", KEY]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert build(tmp_path, "a") == []
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


def test_what_is_missing_is_made_and_the_rest_kept(tmp_path: Path) -> None:
    build(tmp_path, "a")
    (tmp_path / "deploy/clusterID.yml").unlink()
    key = (tmp_path / KEY).read_bytes()
    assert build(tmp_path, "a") == ["deploy/clusterID.yml"]
    assert (tmp_path / KEY).read_bytes() == key


def test_an_older_key_is_kept(tmp_path: Path) -> None:
    (tmp_path / "deploy/sshkey").mkdir(parents=True)
    (tmp_path / "deploy/sshkey/id_rsa").write_text("key")
    assert build(tmp_path, "a") == ["deploy/clusterID.yml"]


def test_openssh_reads_the_key(tmp_path: Path) -> None:
    build(tmp_path, "a")
    derived = subprocess.check_output(["ssh-keygen", "-y", "-f", tmp_path / KEY], text=True)
    assert derived.split()[:2] == (tmp_path / f"{KEY}.pub").read_text().split()[:2]


@pytest.mark.parametrize("words", [
    ("build",), ("execonall", "true"), ("sshkey", "install"), ("hosts",), ("status",),
])  # fmt: skip
def test_deploy_of_another_cluster_is_refused_and_nothing_changes(
    deploy: Deploy, words: tuple[str, ...]
) -> None:
    build(deploy.directory, "another")
    before = modes(deploy.directory)
    done = deploy(*words, code=2)
    assert "belongs to the cluster another, config.yaml is of test" in done.stderr
    assert modes(deploy.directory) == before


def test_files_that_are_no_text_are_kept_or_named(deploy: Deploy, tmp_path: Path) -> None:
    deploy("build")
    deploy("hosts")
    hosts = tmp_path / "deploy/etc/hosts"
    hosts.write_bytes(b"10.9.9.9 caf\xe9\n" + hosts.read_bytes().replace(b"127.0.0.1", b"10.0.0.1"))
    (tmp_path / "deploy/clusterID.yml").write_bytes(b"\xff\n")
    deploy("hosts")
    assert (
        hosts.read_bytes().startswith(b"10.9.9.9 caf\xe9\n") and b"127.0.0.1" in hosts.read_bytes()
    )
    (tmp_path / "other.pub").write_bytes(b"ssh-ed25519 \xff\n")
    done = deploy("sshkey", "install", str(tmp_path / "other.pub"), code=2)
    assert f"{tmp_path}/other.pub is not UTF-8 text" in done.stderr


def test_the_owner_check_knows_what_build_wrote(tmp_path: Path) -> None:
    check_owner(tmp_path, "a")
    build(tmp_path, "a")
    check_owner(tmp_path, "a")
    with pytest.raises(UsageError, match="belongs"):
        check_owner(tmp_path, "b")
