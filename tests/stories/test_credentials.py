"""What a machine is sent that could be used elsewhere: passwords, and whom they go to."""

from __future__ import annotations

from pathlib import Path

from tests.support.deploy import Deploy
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm

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
