"""deploy/ssh_config, as OpenSSH itself reads and uses it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from dlws.access.sshconfig import _quoted
from dlws.core.errors import UsageError
from tests.support.deploy import Deploy, deploying
from tests.support.sshd import Server


def ssh(deploy: Deploy, *words: str) -> subprocess.CompletedProcess[str]:
    line = ["ssh", "-F", str(deploy.directory / "deploy/ssh_config"), *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)


def test_plain_ssh_reaches_nodes_by_name_with_the_known_host_keys(
    sshd: Server, tmp_path: Path
) -> None:
    place = tmp_path / "a b %h"
    place.mkdir()
    deploy = deploying(sshd, place)
    printed = deploy("connect", "--print", "w1").stdout
    config = place / "deploy/ssh_config"
    assert printed == f"ssh -F '{config}' w1\n"
    assert config.stat().st_mode & 0o777 == 0o600
    refused = ssh(deploy, "w1", "true")
    assert refused.returncode == 255 and "Host key verification failed" in refused.stderr
    deploy("--nodes", "w1", "execonall", "true")
    assert ssh(deploy, "w1", "echo", "in").stdout == "in\n"
    assert ssh(deploy, "w1.test.example", "echo", "in").stdout == "in\n"
    assert "changed" not in deploy("connect", "--print", "w1").stderr
    # -O: the server of the tests has no SFTP.
    line = ["scp", "-O", "-F", str(config), str(config), f"w1:{tmp_path}/copy"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "copy").read_bytes() == config.read_bytes()


def test_a_jump_host_is_gone_over(sshd: Server, tmp_path: Path) -> None:
    deploy = deploying(sshd, tmp_path)
    config = (tmp_path / "config.yaml").read_text()
    jump = f"jump_host: {{host: 127.0.0.5, port: {sshd.port}, user: root}}, "
    (tmp_path / "config.yaml").write_text(config.replace("ssh: {", f"ssh: {{{jump}"))
    deploy("--nodes", "w2", "execonall", "true")
    deploy("connect", "--print", "w2")
    said = ssh(deploy, "w2", "echo $SSH_CONNECTION")
    assert said.returncode == 0, said.stderr
    assert "ProxyJump dlws-jump-root-127.0.0.5" in (tmp_path / "deploy/ssh_config").read_text()


@pytest.mark.parametrize(("value", "written"), [
    ("root", '"root"'), ("/a b/%h", '"/a b/%%h"'), ("C:\\x", '"C:\\x"'), ("#", '"#"'),
])  # fmt: skip
def test_values_are_data(value: str, written: str) -> None:
    assert _quoted(value) == written


@pytest.mark.parametrize("value", ['a"b', "a\nProxyCommand evil"])
def test_what_no_quotes_can_hold_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in an ssh_config"):
        _quoted(value)


def test_ssh_config_of_the_user_leads_over_a_chain_and_into_the_one_for_plain_ssh(
    sshd: Server, tmp_path: Path
) -> None:
    """With HOME's file alone: the names of the jump hosts, the user's key, the algorithms."""
    deploy, key = deploying(sshd, tmp_path), tmp_path / "home/.ssh/own"
    text = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(
        text.replace(f"ssh: {{port: {sshd.port}, key: {sshd.key},", "ssh: {")
    )
    key.parent.mkdir(parents=True)
    shutil.copy(sshd.key, key)
    (key.parent / "config").write_text(
        f"Host outer\n HostName 127.0.0.5\nHost inner\n HostName 127.0.0.4\n ProxyJump outer\n"
        f"Host w2\n ProxyJump inner\n Ciphers aes256-ctr\nHost *\n Port {sshd.port}\n"
        "  IdentityFile ~/.ssh/own\n User root\n"
    )
    (key.parent / "config").chmod(0o600)
    environment = {"HOME": str(tmp_path / "home")}
    said = deploy("--nodes", "w2", "execonall", "echo $SSH_CONNECTION", environment=environment)
    assert "127.0.0.3" in said.stdout
    deploy("connect", "--print", "w2", environment=environment)
    plain = ssh(deploy, "w2", "echo", "in")
    assert plain.stdout == "in\n", plain.stderr
    written = (tmp_path / "deploy/ssh_config").read_text()
    assert "ProxyJump dlws-jump-root-127.0.0.5" in written and "Ciphers aes256-ctr" in written
    trusted = deploy("-y", "hosts", "trust", "w2", environment=environment).stdout
    assert "jump host 127.0.0.5" in trusted and "jump host 127.0.0.4" in trusted
