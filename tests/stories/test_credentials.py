"""What a machine is sent that could be used elsewhere: passwords, and whom they go to."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from dlws.ssh.hostkeys import LEARNED
from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm
from tests.support.sshd import write_key

QUICK = "  connect_timeout: 1.5\n  banner_timeout: 1.5\n  auth_timeout: 3\n  keepalive: 0.5\n"


def on(farm: Farm, hosts: int = 0, settings: str = "") -> Deploy:
    return Deploy(directory(farm, hosts, f"{QUICK}{settings}"))


def known_hosts(deploy: Deploy) -> Path:
    return deploy.directory / "deploy/sshkey/known_hosts"


def no_key(deploy: Deploy) -> None:
    for key in (deploy.directory / "deploy/sshkey").glob("id_*"):
        key.unlink()


def test_a_jump_host_is_not_sent_the_passwords_of_nodes(start_farm: StartFarm) -> None:
    farm = start_farm(3, faults={3: "auth"})
    gate = farm.hosts[2]
    jump = f"  jump_host: {{host: {gate.address}, port: {gate.port}, user: gate, "
    deploy = on(farm, 2, f"  password: all-nodes\n  sudo_password: root-too\n{jump}}}\n")
    no_key(deploy)
    with known_hosts(deploy).open("a") as known:
        known.write(gate.known_hosts)
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text().replace("role: worker,", "role: worker, password: own,"))
    done = deploy("--sudo", "execonall", "true", code=2)
    assert farm.passwords() == []
    assert f"there is no key or password for gate@{gate.address}" in done.stderr
    config.write_text(config.read_text().replace("user: gate, ", "user: gate, password: its-own, "))
    done = deploy("execonall", "true", code=1)
    assert set(farm.passwords()) == {(gate.name, "gate", "its-own")}
    assert f"{gate.address} does not let gate in" in done.stderr
    assert "cure: give jump_host a key or password of its own" in done.stderr


def prints(farm: Farm) -> list[str]:
    lines = "".join(f"{host.host_key}\n" for host in farm.hosts)
    words = ["ssh-keygen", "-lf", "-"]
    told = subprocess.run(words, input=lines, capture_output=True, text=True, check=True).stdout
    return [line.split()[1] for line in told.splitlines()]


def test_no_password_goes_to_a_machine_that_nobody_has_accepted(farm: Farm) -> None:
    deploy = on(farm, settings="  password: secret\n")
    no_key(deploy)
    known_hosts(deploy).unlink()
    done = deploy("execonall", "true", code=4)
    assert [one for one in prints(farm) if one not in done.stderr] == []
    assert "nobody has accepted the host keys of node[001-004]: no password was sent" in done.stderr
    assert f"--dir {deploy.directory} -y hosts trust" in done.stderr
    assert farm.passwords() == [] and not known_hosts(deploy).exists()
    done = deploy("-y", "execonall", "true", code=1)  # let in it is not: it is another password
    assert "accepted: -y says so" in done.stderr
    assert {host for host, *_ in farm.passwords()} == {host.name for host in farm.hosts}
    assert LEARNED not in known_hosts(deploy).read_text()
    assert "passwords go to machines" not in deploy("execonall", "true", code=1).stderr


@pytest.mark.parametrize(("answer", "code"), [("y\n", 1), ("n\n", 4)])
def test_on_a_terminal_it_is_asked_once_for_all(
    start_farm: StartFarm, answer: str, code: int
) -> None:
    farm = start_farm(2)
    deploy = on(farm, settings="  password: secret\n")
    no_key(deploy)
    known_hosts(deploy).unlink()
    ours, theirs = pty.openpty()
    os.write(ours, answer.encode())
    line = [sys.executable, str(ROOT / "deploy.py"), "--dir", str(deploy.directory)]
    try:
        done = subprocess.run(
            [*line, "execonall", "true"],
            stdin=theirs, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == code, done.stderr
    assert done.stderr.count("Trust these 2 keys, and send passwords there?") == 1
    assert len(farm.passwords()) == (0 if code == 4 else 2)


def test_the_configuration_may_accept_new_keys(farm: Farm) -> None:
    deploy = on(farm, settings="  password: secret\n  accept_new: true\n")
    no_key(deploy)
    known_hosts(deploy).unlink()
    assert "accepted: ssh.accept_new says so" in deploy("execonall", "true", code=1).stderr
    assert len(farm.passwords()) == 4


def test_a_key_that_was_learned_is_no_way_for_the_password_of_sudo(farm: Farm) -> None:
    deploy = on(farm)
    known_hosts(deploy).unlink()
    done = deploy("execonall", "true")
    assert "new host keys of 4 machines learned: node[001-004]; see: " in done.stderr
    assert "learned" not in deploy("execonall", "true").stderr
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text().replace("ssh:\n", "ssh:\n  sudo_password: c4nary\n"))
    deploy("--sudo", "execonall", "true", code=4)
    assert not [one for one in farm.received() if b"c4nary" in one.stdin]
    shown = deploy("hosts", "trust").stdout
    assert shown.count("the same as before, and accepted by nobody yet") == 4
    deploy("-y", "hosts", "trust")
    assert "accepted by nobody" not in deploy("hosts", "trust").stdout
    deploy("--sudo", "execonall", "true")
    assert len([one for one in farm.received() if b"c4nary" in one.stdin]) == 4


def test_a_single_new_key_is_told_with_its_print(start_farm: StartFarm) -> None:
    farm = start_farm(1)
    deploy = on(farm)
    known_hosts(deploy).unlink()
    told = deploy("execonall", "true").stderr
    assert f"node001: new host key {prints(farm)[0]} learned" in told


def test_the_password_of_root_goes_to_nobody_unseen(start_farm: StartFarm) -> None:
    farm = start_farm(2)
    deploy = on(farm)
    known_hosts(deploy).unlink()
    no_key(deploy)
    keys = deploy.directory / "deploy/sshkey"
    write_key(keys / "id_rsa")
    (keys / "rootpasswd").write_text("of all nodes")
    done = deploy("sshkey", "install", code=4)
    assert farm.passwords() == []
    assert [one for one in prints(farm) if one not in done.stderr] == []
    deploy("-y", "sshkey", "install", code=1)
    assert farm.passwords("node002") == [("node002", "root", "of all nodes")]
