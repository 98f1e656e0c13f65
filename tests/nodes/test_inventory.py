"""How each machine of a configuration is reached; nothing connects."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dlws.config import Config, from_text
from dlws.core.errors import DeployError, UsageError
from dlws.nodes import inventory
from dlws.secrets.redaction import revealed
from dlws.ssh.client import Ssh
from dlws.ssh.handshake import Target
from dlws.ssh.ownway import OwnWay
from tests.support.invocations import unrecorded

MACHINES = """
machines:
  i1: {role: infra, private-ip: 10.0.0.1}
  w1: {role: worker, private-ip: 10.0.0.2, public-ip: 1.2.3.4, port: 2222, user: eve, key: ~/k}
  w2: {role: worker}
"""

KEY = partial(inventory.private_key, Path("/c"))


def config_of(text: str = "", machines: str = MACHINES) -> Config:
    return from_text(f"cluster_name: t\nnetwork: {{domain: x.example}}\n{text}{machines}")


def target(name: str, text: str = "", public: bool = False) -> Target:
    config = config_of(text)
    return inventory.target(config, config.machines[name], KEY, {"w2": "10.0.0.9"}, public)


@pytest.mark.parametrize(("name", "text", "public", "told"), [
    ("i1", "", False, "dlwsadmin@10.0.0.1:22"),
    ("i1", "admin_username: adam\n", False, "adam@10.0.0.1:22"),
    ("i1", "ssh: {user: bob, port: 2022}\n", False, "bob@10.0.0.1:2022"),
    ("w1", "ssh: {user: bob, port: 2022}\n", False, "eve@10.0.0.2:2222"),
    ("w1", "", True, "eve@1.2.3.4:2222"),
    ("i1", "", True, "dlwsadmin@10.0.0.1:22"),
    ("w2", "", False, "dlwsadmin@10.0.0.9:22"),
])  # fmt: skip
def test_where_and_as_whom(name: str, text: str, public: bool, told: str) -> None:
    assert str(target(name, text, public)) == told


def test_a_machine_without_an_address_is_asked_for_by_its_full_name() -> None:
    config = config_of()
    found = inventory.target(config, config.machines["w2"], KEY, {})
    assert found.address == "w2.x.example"


def test_times_are_those_of_the_section_ssh() -> None:
    text = "ssh: {connect_timeout: 1, banner_timeout: 2, auth_timeout: 3, idle_timeout: 4,"
    text += " answer_timeout: 7,"
    found = target("i1", f"{text} keepalive: 5, retries: 6}}\n")
    times = (found.connect_timeout, found.banner_timeout, found.auth_timeout)
    assert (*times, found.idle_timeout, found.keepalive, found.retries) == (1, 2, 3, 4, 5, 6)
    assert found.answer_timeout == 7 and target("i1", "").answer_timeout == 300


def test_a_machine_may_have_a_sudo_password_of_its_own(tmp_path: Path) -> None:
    machines = MACHINES.replace("w2: {role: worker", "w2: {role: worker, sudo_password: own")
    config = config_of("ssh: {sudo_password: all}\n", machines)
    nodes = inventory.nodes(config, unrecorded(directory=tmp_path))
    passwords = [revealed(node._login.sudo_password) for node in nodes]
    assert passwords == ["all", "all", "own"] and config.sudo_passwords
    assert config_of("", machines).sudo_passwords and not config_of().sudo_passwords


def test_weak_algorithms_are_for_nodes_and_jump_hosts_alike(tmp_path: Path) -> None:
    assert not target("i1").legacy_algorithms
    found = connections(tmp_path, "ssh: {legacy_algorithms: true, jump_host: gate}\n")["i1"]
    assert found.target.legacy_algorithms and found.via and found.via.target.legacy_algorithms


@pytest.mark.parametrize(("there", "configured", "key"), [
    ([], "", "deploy/sshkey/id_ed25519"),
    (["id_ed25519", "id_rsa"], "", "deploy/sshkey/id_ed25519"),
    (["id_rsa"], "", "deploy/sshkey/id_rsa"),
    (["id_rsa"], "keys/own", "keys/own"),
])  # fmt: skip
def test_private_key(tmp_path: Path, there: list[str], configured: str, key: str) -> None:
    (tmp_path / "deploy/sshkey").mkdir(parents=True)
    for name in there:
        (tmp_path / "deploy/sshkey" / name).touch()
    assert inventory.private_key(tmp_path, configured) == tmp_path / key


@pytest.mark.parametrize("configured", ["/etc/key", "~/key"])
def test_a_key_elsewhere_is_not_looked_for_in_the_clusters_directory(configured: str) -> None:
    found = inventory.private_key(Path("/c"), configured)
    assert found == Path(configured).expanduser()


def test_machines_are_known_by_both_addresses_and_by_their_pinned_keys() -> None:
    machines = MACHINES.replace("role: infra,", f"role: infra, host_key: 'SHA256:{43 * 'a'}',")
    found = inventory.machines(config_of(machines=machines), {"w2": "10.0.0.9"})
    assert found.places == {
        "10.0.0.1": "i1", "[10.0.0.2]:2222": "w1", "[1.2.3.4]:2222": "w1", "10.0.0.9": "w2",
    }  # fmt: skip
    assert list(found.pins.values()) == ["i1"]


def connections(tmp_path: Path, text: str, machines: str = MACHINES) -> dict[str, Ssh]:
    nodes = inventory.nodes(config_of(text, machines), unrecorded(directory=tmp_path))
    found: dict[str, Any] = {node.name: node.connection for node in nodes}
    return found


def test_every_machine_is_a_node_in_the_order_of_the_configuration(tmp_path: Path) -> None:
    nodes = inventory.nodes(config_of(), unrecorded(directory=tmp_path))
    assert [(node.name, node.user) for node in nodes] == [
        ("i1", "dlwsadmin"), ("w1", "eve"), ("w2", "dlwsadmin"),
    ]  # fmt: skip
    assert not (tmp_path / "deploy").exists()


def test_a_key_of_many_machines_is_looked_for_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, look = list[str](), inventory.private_key

    def noting(directory: Path, configured: str) -> Path:
        looked.append(configured)
        return look(directory, configured)

    monkeypatch.setattr(inventory, "private_key", noting)
    text = "ssh: {jump_host: {host: gate}}\n"
    machines = MACHINES + "  w3: {role: worker, key: other}\n"
    found = connections(tmp_path, text, machines)
    assert sorted(looked) == ["", "other", "~/k"]
    assert found["w3"].target.key == tmp_path / "other"


def test_those_behind_one_jump_host_share_the_connection_to_it(tmp_path: Path) -> None:
    jump = "ssh: {idle_timeout: 9, jump_host: {host: gate, port: 2200, user: jumper}}\n"
    machines = MACHINES + "  w3: {role: worker, private-ip: 10.0.0.3, jump_host: {host: gate}}\n"
    found = connections(tmp_path, jump, machines)
    ways = {name: connection.via for name, connection in found.items()}
    assert all(ways.values()) and ways["i1"] is ways["w2"] is not ways["w3"]
    assert ways["i1"] and str(ways["i1"].target) == "jumper@gate:2200"
    assert ways["i1"].target.idle_timeout == 0, "what runs through it may be silent"
    assert ways["i1"].target.machine == ""
    assert ways["w3"] and str(ways["w3"].target) == "dlwsadmin@gate:22"


def test_a_jump_host_has_a_way_in_of_its_own_and_none_of_the_nodes(tmp_path: Path) -> None:
    """It was sent the passwords of all nodes behind it."""
    machines = MACHINES.replace("key: ~/k", "key: ~/k, password: w1s")
    ssh = "password: all, key: keys/own, keepalive: 3, jump_host:"
    found = connections(tmp_path, f"ssh: {{{ssh} gate}}\n", machines)
    via = found["w1"].via
    assert via and found["w1"].target.password and via.target.password is None
    assert via.target.key == tmp_path / "keys/own" and via.target.keepalive == 3
    found = connections(
        tmp_path, f"ssh: {{{ssh} {{host: gate, password: its, key: k}}}}\n", machines
    )
    via = found["w1"].via
    assert via and revealed(via.target.password) == "its" and via.target.key == tmp_path / "k"


def test_without_a_jump_host_the_way_is_direct(tmp_path: Path) -> None:
    assert {c.via for c in connections(tmp_path, "").values()} == {None}


def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh/config").write_text(text)
    (tmp_path / ".ssh/config").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))


OWN = """
Host w2
  HostName w2.elsewhere
Host w1 10.0.0.1 gate
  User own
  Port 77
  IdentityFile ~/.ssh/own
  ConnectTimeout 5
  HostKeyAlias alias-%h
Host gate
  ProxyJump first
  HostName gate.elsewhere
Host * !gate !first
  ProxyJump gate
"""


def test_ssh_config_counts_where_config_yaml_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch, OWN)
    found = connections(tmp_path, "")
    assert str(found["i1"].target) == "own@10.0.0.1:77", "by its address"
    assert str(found["w1"].target) == "eve@10.0.0.2:2222", "its entry has both"
    assert str(found["w2"].target) == "dlwsadmin@w2.elsewhere:22"
    assert found["i1"].target.identities == (tmp_path / ".ssh/own",)
    assert found["i1"].target.key == tmp_path / "deploy/sshkey/id_ed25519"
    assert found["i1"].target.connect_timeout == 5 and found["w2"].target.connect_timeout == 10
    assert [str(jump.target) for jump in found["w2"].jumps] == [
        "dlwsadmin@first:22", "own@gate.elsewhere:77",
    ]  # fmt: skip


def test_config_yaml_wins_and_can_switch_ssh_config_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch, OWN)
    text = "ssh: {port: 22, user: bob, connect_timeout: 9, jump_host: 10.9.9.9}\n"
    found = connections(tmp_path, text)["i1"]
    assert str(found.target) == "bob@10.0.0.1:22" and found.target.connect_timeout == 9
    assert [jump.target.address for jump in found.jumps] == ["10.9.9.9"]
    found = connections(tmp_path, "admin_username: adam\n")["i1"]
    assert found.target.user == "adam"
    found = connections(tmp_path, "ssh: {config: false}\n")["i1"]
    assert str(found.target) == "dlwsadmin@10.0.0.1:22" and not found.jumps
    assert not found.target.identities


def test_a_name_of_ssh_config_is_no_other_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch, "Host w1\n HostKeyAlias one\nHost w2\n HostKeyAlias one\n")
    found = connections(tmp_path, "")
    assert found["w1"].target.identity == found["w2"].target.identity == ("one", 22)
    known = found["w1"].known
    known.check(*found["w1"].target.identity, b"key", machine="w1")
    with pytest.raises(DeployError, match="w2 has the host key of w1"):
        known.check(*found["w2"].target.identity, b"key", machine="w2")


def test_a_way_that_cannot_be_gone_is_named_and_no_other_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home(tmp_path, monkeypatch, "ProxyCommand corkscrew proxy 80 %h %p\n")
    with pytest.raises(UsageError, match=r"ProxyCommand corkscrew .* for 10\.0\.0\.1") as caught:
        connections(tmp_path, "")["i1"].run("true")
    assert "ssh.config: false" in caught.value.cure
    assert not connections(tmp_path, "ssh: {jump_host: gate}\n")["i1"].target.obstacle


def test_a_circle_of_jump_hosts_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home(tmp_path, monkeypatch, "Host a\n ProxyJump b\nHost *\n ProxyJump a\n")
    with pytest.raises(UsageError, match="over more than 8 jump hosts"):
        connections(tmp_path, "")


@pytest.mark.parametrize(("set_agent", "own", "asked"), [
    ("", "/run/agent", True), ("", "none", False), ("", "", False), ("agent: true", "none", True),
    ("agent: false", "/run/agent", False),
])  # fmt: skip
def test_an_agent_is_asked_where_either_file_says_so(set_agent: str, own: str, asked: bool) -> None:
    config = config_of(f"ssh: {{{set_agent}}}\n")
    assert inventory.asks_agent(config.ssh, OwnWay(agent=own)) is asked


@pytest.mark.parametrize(("jump", "chain"), [
    ("gate", "dlwsadmin@gate:22"), ("a@one:23, two", "a@one:23 dlwsadmin@two:22"),
    ("one,b@two,[fd00::3]:24", "dlwsadmin@one:22 b@two:22 dlwsadmin@fd00::3:24"),
    ("{host: two, via: [one:5]}", "dlwsadmin@one:5 dlwsadmin@two:22"),
])  # fmt: skip
def test_jump_hosts_may_stand_one_before_the_other(jump: str, chain: str, tmp_path: Path) -> None:
    text = jump if jump.startswith("{") else f'"{jump}"'
    found = connections(tmp_path, f"ssh: {{jump_host: {text}}}\n")
    assert [str(hop.target) for hop in found["i1"].jumps] == chain.split()
    assert found["i1"].jumps == found["w2"].jumps


def test_an_empty_place_in_a_chain_is_refused() -> None:
    with pytest.raises(DeployError, match="is not a jump host"):
        config_of('ssh: {jump_host: "a,,b"}\n')
