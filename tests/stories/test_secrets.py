"""Canaries in every slot for a secret, and a watch on all processes while commands run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.support import canaries
from tests.support.deploy import Deploy
from tests.support.sandboxes import Made, MakeSandbox
from tests.support.watch import watch

pytestmark = pytest.mark.sandbox

# What nodes and logins use by itself cannot hold a newline; the model's other slots hold whatever.
CANARIES = {slot: f"c4Nary-{slot}-'\"$x \\ü" for slot in ("login", "sudo", "root", "mail", "store")}

QUICK = {"connect_timeout": 5, "banner_timeout": 5, "auth_timeout": 10, "keepalive": 1}


def found(data: bytes) -> list[str]:
    """The slots whose canary is in some data."""
    mine = [slot for slot in CANARIES if f"c4Nary-{slot}".encode() in data]
    coded = [
        slot
        for slot, canary in CANARIES.items()
        if any(form.encode() in data for form in canaries.forms(canary))
    ]
    return [*mine, *coded, *canaries.found(data)]


@pytest.fixture(scope="module")
def made(make_sandbox: MakeSandbox) -> Made:
    """Nodes whose root password and whose user eve, with sudo, have canaries for passwords."""
    made = make_sandbox(1, 1)
    for node in made.sandbox.nodes:
        with made.login(node.name) as client:
            user = "useradd -m -s /bin/bash eve; echo 'eve ALL=(ALL) ALL' >/etc/sudoers.d/eve"
            stdin, out, _ = client.exec_command(
                f"{user}; cat >/root/pw; chpasswd </root/pw; rm /root/pw"
            )
            stdin.write(f"root:{CANARIES['root']}\neve:{CANARIES['sudo']}\n")
            stdin.channel.shutdown_write()
            assert out.channel.recv_exit_status() == 0
    (made.directory / "deploy/sshkey/rootpasswd").write_text(CANARIES["root"] + "\n")
    return made


def configure(made: Made, user: str, sudo: str) -> None:
    config = yaml.safe_load(made.config.read_text())
    config["ssh"] = dict(QUICK)
    canaries.filled(config, next(iter(config["machines"])))
    config.pop("secrets_key")
    for machine in config["machines"].values():
        for own in ("password", "sudo_password", "jump_host"):
            machine.pop(own, None)  # it would be used instead of the one for all
    config["ssh"].pop("jump_host")  # there is none
    config["ssh"] |= {"user": user, "password": CANARIES["login"], "sudo_password": sudo}
    made.config.write_text(yaml.safe_dump(config, allow_unicode=True))


def test_no_secret_is_seen_anywhere(made: Made, tmp_path: Path) -> None:
    deploy, told = Deploy(made.directory), list[str]()
    (tmp_path / "s.sh").write_text("# dlws-needs: root\nenv; cat; sleep 0.3\n")
    (tmp_path / "file").write_text("x")

    def run(*words: str, code: int | None = 0) -> None:
        done = deploy(*words, code=code)
        told.append(f"{words}: {done.stdout}{done.stderr}")

    with watch(found) as seen:
        configure(made, "eve", CANARIES["sudo"])
        for words in (
            ("checkconfig",), ("checkconfig", "--output", "json"), ("config", "explain", "ssh"),
            ("config", "explain", "mysql_password"), ("build",), ("hosts",),
        ):  # fmt: skip
            run(*words)
        run("-v", "--dry-run", "sshkey", "install")
        run("-v", "sshkey", "install")
        run("-v", "--sudo", "execonall", "id; sleep 0.3")
        run("execonall", "sudo", "sleep", "0.3")
        run("-v", "--dry-run", "copytoall", f"{tmp_path}/file", "/root/file")
        run("-v", "copytoall", f"{tmp_path}/file", "/root/file")
        run("-v", "runscriptonall", f"{tmp_path}/s.sh")
        run("-v", "--dry-run", "runscriptonall", f"{tmp_path}/s.sh")
        run("-v", "--background", "runscriptonall", f"{tmp_path}/s.sh")
        run("-v", "status", "--output", "json", code=None)
        run("--sudo", "execonall", "false", code=1)
        configure(made, "eve", CANARIES["mail"])
        run("-v", "--sudo", "execonall", "true", code=1)
        (made.directory / "deploy/sshkey/rootpasswd").write_text(CANARIES["store"] + "\n")
        configure(made, "nobody", CANARIES["sudo"])
        run("-v", "sshkey", "install", code=1)
        with made.config.open("a") as config:
            config.write(f"mysql_password: [{json.dumps(CANARIES['store'])}]\n")
        run("checkconfig", code=2)
    assert seen == []
    assert [text for text in told if found(text.encode())] == []
    (made.directory / "deploy/sshkey/rootpasswd").write_text(CANARIES["root"] + "\n")
    meant = {made.directory / "deploy/sshkey/rootpasswd"}
    files = {path for path in (made.directory / "deploy").rglob("*") if path.is_file()}
    assert [path for path in files - meant if found(path.read_bytes())] == []
    for node in made.sandbox.nodes:
        with made.login(node.name) as client:
            _, out, _ = client.exec_command(
                "journalctl -q; cat /var/log/* /root/.*; find /tmp /var/tmp /var/lib/dlws "
                "/run/dlws* /home/*/.dlws /root/.dlws -type f -exec cat {} +"
            )
            assert found(out.read()) == []
    assert os.stat(made.directory / "deploy/sshkey/rootpasswd").st_mode & 0o077 == 0
