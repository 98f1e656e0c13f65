"""Which keys are let in, who lets them in, and what the installation would change of a node."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlws.access import sshkey
from dlws.core.connection import Local, Result
from dlws.core.errors import DeployError, UsageError
from dlws.nodes.node import Login, Node, SudoRefused
from dlws.secrets.vault import Vault
from dlws.shell.quoting import script
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import ConnectionFailed, LoginRefused, Target
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keys import Keys
from tests.support.commands import read
from tests.support.fakes import Make

OWN, MORE = "ssh-ed25519 AAAA own", "ssh-rsa BBBB more"


def keys_in(place: Path, **content: bytes) -> Path:
    (place / "deploy/sshkey").mkdir(parents=True)
    for name, data in content.items():
        (place / "deploy/sshkey" / name.replace("__", ".")).write_bytes(data)
    return place


@pytest.mark.parametrize(("content", "lines"), [
    ({"id_ed25519__pub": b"a 1 x\n"}, b"a 1 x\n"),
    ({"id_rsa__pub": b"b 2 y"}, b"b 2 y\n"),
    ({"id_ed25519__pub": b"a 1 x\n", "id_rsa__pub": b"b 2 y\n"}, b"a 1 x\n"),
    ({"id_ed25519__pub": b"\n a 1 x \nc 3 z\n\n"}, b"a 1 x \nc 3 z\n"),
])  # fmt: skip
def test_public_keys(tmp_path: Path, content: dict[str, bytes], lines: bytes) -> None:
    keys_in(tmp_path, **content)
    assert sshkey.public_keys(tmp_path) == lines
    (tmp_path / "more.pub").write_text(f"{MORE}\n")
    assert sshkey.public_keys(tmp_path, (tmp_path / "more.pub",)) == lines + f"{MORE}\n".encode()


def test_a_key_that_is_missing_or_no_text_is_named(tmp_path: Path) -> None:
    keys_in(tmp_path)
    with pytest.raises(UsageError, match=r"id_rsa\.pub: No such file"):
        sshkey.public_keys(tmp_path)
    (tmp_path / "deploy/sshkey/id_rsa.pub").write_bytes(b"\xff")
    with pytest.raises(UsageError, match=r"id_rsa\.pub is not UTF-8 text"):
        sshkey.public_keys(tmp_path)


@pytest.mark.parametrize(("content", "login"), [
    ({}, ("root", "asked for Password of root on the nodes")),
    ({"rootuser": b"adam\n"}, ("adam", "asked for Password of adam on the nodes")),
    ({"rootpasswd": b"pass word \r\nmore"}, ("root", "pass word ")),
    ({"rootuser": b"adam", "rootpasswd": b"x"}, ("adam", "x")),
])  # fmt: skip
def test_root_login(tmp_path: Path, content: dict[str, bytes], login: tuple[str, str]) -> None:
    vault = Vault(keys_in(tmp_path, **content))
    assert sshkey.root_login(vault, lambda question: f"asked for {question}") == login
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "deploy/sshkey").iterdir()}
    assert modes <= {0o600}


def test_over_the_nodes_own_connection_each_change_is_said(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make()
    node = world.cluster.nodes[0]
    world.fakes["infra01"].rules.append(lambda *_: Result(0, b"authorized key\nsudo rule x\n"))
    sshkey.again(node, b"a 1 x\n")
    assert world.stdin_of("infra01", sshkey._INSTALL) == b"a 1 x\n"
    said = [line for line in capsys.readouterr().err.splitlines() if "changed" in line]
    assert said == ["infra01:  changed: authorized key", "infra01:  changed: sudo rule x"]


@pytest.mark.parametrize("user", ["adam", "a b'c"])
def test_the_question_asks_for_the_nodes_user(make: Make, user: str) -> None:
    world = make()
    node = world.cluster.nodes[0].through(world.fakes["infra01"], Login(user))
    assert read(sshkey.differences(node)) == (sshkey._INSTALL, (user, "check"))


def test_the_question_names_what_is_missing_and_changes_nothing(make: Make) -> None:
    world = make()
    user = "nobody-of-that-name"
    node = world.cluster.nodes[0].through(world.fakes["infra01"], Login(user))
    before = os.listdir("/home")
    done = Local().run(sshkey.differences(node), f"{OWN}\n".encode())
    assert done == Result(0, f"differs: user\t{user}\tis missing\n".encode())
    assert os.listdir("/home") == before


def test_the_user_that_is_made_does_not_age(tmp_path: Path) -> None:
    """With PASS_MAX_DAYS of the machine the cluster's own admin was locked out one day."""
    told = tmp_path / "told"
    for name in ("useradd", "chage", "install", "getent", "id"):
        program = tmp_path / name
        code = "exit 1" if name == "id" else "exit 0"
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>{told}\n{code}\n')
        program.chmod(0o755)
    line = f"PATH={tmp_path}:$PATH; {script(sshkey._INSTALL, 'adam')}"
    Local().run(line)
    assert "useradd -m -s /bin/bash adam\nchage -m 0 -M -1 -I -1 -E -1 adam" in told.read_text()


def test_another_rule_of_sudo_is_named_and_the_same_command_is_no_cure(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run: sshkey install` was the cure of what `sshkey install` could not do."""

    def refuse(self: Node, *_: object, **__: object) -> Result:
        raise SudoRefused(self.user, Result(1, b"", b"sudo: a password is required"))

    monkeypatch.setattr(sshkey, "_install_as", lambda *_: "")
    monkeypatch.setattr(Node, "read", refuse)
    connection = Ssh(Target("10.0.0.1", user="adam"), HostKeys(tmp_path / "known"), Keys())
    node = make().cluster.nodes[0].through(connection, Login("adam"))
    with pytest.raises(DeployError, match="sudo refuses adam") as caught:
        sshkey._install(node, "root", "secret", b"ssh-ed25519 AAAA x\n")
    assert "sudo -l -U adam" in caught.value.cure and "sshkey install" not in caught.value.cure


@pytest.mark.parametrize("refusal", [LoginRefused, ConnectionFailed])
def test_where_the_key_is_in_and_lets_nobody_in_sshds_rule_is_named(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refusal: type[ConnectionFailed]
) -> None:
    """A second factor that sshd has switched off ends the connection without a word."""

    def read(self: Node, *_: object, **__: object) -> Result:
        if self.user == "adam":
            raise refusal("10.0.0.1 does not let adam in", "run: sshkey install")
        return Result(0, b"allowusers root alice\n")

    monkeypatch.setattr(sshkey, "_install_as", lambda *_: "")
    monkeypatch.setattr(Node, "read", read)
    connection = Ssh(Target("10.0.0.1", user="adam"), HostKeys(tmp_path / "known"), Keys())
    node = make().cluster.nodes[0].through(connection, Login("adam"))
    with pytest.raises(LoginRefused, match="AllowUsers root alice does not name adam") as caught:
        sshkey._install(node, "root", "secret", b"ssh-ed25519 AAAA x\n")
    assert "add adam to it" in caught.value.cure and "sshkey install" not in caught.value.cure
