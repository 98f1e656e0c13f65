"""Loading a cluster's directory: files, precedence, secrets, what is derived."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from dlws.config import Config, ConfigError, from_text, load
from dlws.config.addresses import address_of, parse_hosts
from dlws.config.problems import hide_secrets
from dlws.config.reading import shape
from dlws.core.errors import UsageError
from tests.support.configs import look, minimal


def write(directory: Path, text: str, name: str = "config.yaml") -> Path:
    (directory / name).write_text(text)
    return directory


def made(text: str) -> Config:
    return from_text(minimal(text))


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no config") as caught:
        load(tmp_path)
    assert "`deploy.py init`" in caught.value.cure
    assert "sandbox up" in caught.value.cure
    assert caught.value.code == 2


def test_a_directory_in_its_place_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").mkdir()
    with pytest.raises(UsageError, match="cannot be read: Is a directory"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.yaml", "cluster.yaml"])
def test_what_cannot_be_read_to_its_end_is_no_configuration(tmp_path: Path, name: str) -> None:
    write(tmp_path, minimal(""))
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(UsageError, match=f"{name} cannot be read: it is not a regular file"):
        load(tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to("/dev/zero")
    with pytest.raises(UsageError, match="not a regular file"):
        load(tmp_path)


def test_of_many_unknown_keys_few_are_guessed_at(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = list[str]()

    def closest(word: str, known: object) -> str:
        asked.append(word)
        return ""

    monkeypatch.setattr(shape, "closest", closest)
    found = look(minimal("".join(f"unknown_{n}: x\n" for n in range(20_000))))
    assert len(asked) == 50
    assert len([p for p in found.problems if "nothing knows this key" in p.message]) == 20_000
    assert found.problems[-1].line - found.problems[0].line == 19_999


def test_maps_are_merged_and_config_yaml_wins(tmp_path: Path) -> None:
    write(tmp_path, "ssh: {port: 22, user: a}\nkubemarks: [a, b]\nmachines: {w: {role: worker}}\n"
          "network: {domain: x.example}\n", "cluster.yaml")  # fmt: skip
    write(
        tmp_path, "cluster_name: c\nssh: {port: 23}\nkubemarks: [c]\nmachines: {m: {role: infra}}"
    )
    config = load(tmp_path)
    assert (config.ssh.port, config.ssh.user, config.kubemarks) == (23, "a", ["c"])
    assert [m.fqdn for m in config.machines.values()] == ["w.x.example", "m.x.example"]


def test_a_flat_key_above_wins_over_a_section_below() -> None:
    found = look(minimal("k8s-gitbranch: v1.20.0"), "kubernetes: {network: calico}\n")
    assert found.config is not None
    assert str(found.config.kubernetes.version) == "1.20.0"
    assert found.config.kubernetes.network == "calico"


def test_of_two_spellings_the_one_in_config_yaml_wins() -> None:
    flat, section = "k8s-gitbranch: v1.20.0", "kubernetes: {version: 1.21.0}"
    for above, below, version in ((flat, section, "1.20.0"), (section, flat, "1.21.0")):
        found = look(minimal(above), below)
        assert found.config is not None and found.problems == []
        assert str(found.config.kubernetes.version) == version


def test_strict_makes_warnings_errors(tmp_path: Path) -> None:
    write(tmp_path, minimal("colour: red"))
    assert [p.message for p in load(tmp_path).warnings] == ["colour: nothing knows this key"]
    with pytest.raises(ConfigError, match="nothing knows this key"):
        load(tmp_path, strict=True)


def test_all_problems_come_at_once_as_a_compiler_shows_them(tmp_path: Path) -> None:
    write(tmp_path, "cluster_name: c\nmachines:\n  m1:\n    role: wroker\n    port: x\n")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path)
    assert (
        str(caught.value)
        == """\
the configuration has 2 errors, 0 warnings
config.yaml:4:11: error: machines.m1.role: "wroker" is not a role
    4 |     role: wroker
      |           ^~~~~~
  cure: Did you mean worker? The roles are: infrastructure, worker, nfs, mysqlserver, \
elasticsearch, samba.
config.yaml:5:11: error: machines.m1.port: must be a whole number, not "x"
    5 |     port: x
      |           ^
  cure: Write digits, such as 3."""
    )


@pytest.mark.parametrize(
    ("version", "choice", "runtime"),
    [
        ("v1.18.0", "", "docker"), ("1.19", "", "docker"), ("1.20", "", "containerd"),
        ("1.23.4", "docker", "docker"), ("1.24.0", "", "containerd"), ("1.37.0", "", "containerd"),
    ],
)  # fmt: skip
def test_the_runtime_follows_the_version(version: str, choice: str, runtime: str) -> None:
    chosen = f"container_runtime: {choice}\n" if choice else ""
    config = made(f"{chosen}k8s-gitbranch: {version}")
    assert config.runtime == runtime
    assert str(config.kubernetes.version) == version.removeprefix("v") + ".0" * (
        version.count(".") < 2
    )


@pytest.mark.parametrize(
    ("text", "jump"),
    [
        ("gw", ("", "gw", 22)), ("a@gw", ("a", "gw", 22)), ("a@gw:2222", ("a", "gw", 2222)),
        ("a@[fd00::1]:2222", ("a", "fd00::1", 2222)), ("a@b@gw:1", ("a@b", "gw", 1)),
    ],
)  # fmt: skip
def test_jump_hosts(text: str, jump: tuple[str, str, int]) -> None:
    found = made(f"ssh: {{jump_host: '{text}'}}").ssh.jump_host
    assert found is not None
    assert (found.user, found.host, found.port) == jump


def test_names_with_three_parts_are_full_names() -> None:
    text = (
        "network: {domain: x.example}\nmachines:\n  a: {role: infra}\n  b.y.example: {role: nfs}\n"
    )
    names = {m.name: m.fqdn for m in made(text).machines.values()}
    assert names == {"a": "a.x.example", "b.y.example": "b.y.example"}


def test_roles_may_be_several() -> None:
    config = made("machines: {a: {role: [master, worker, infra]}}")
    assert config.machines["a"].roles == ("infrastructure", "worker")


def test_kubelabels_add_to_the_table() -> None:
    labels = made("kubelabels: {grafana: worker_node, mine: all}").kubelabels
    assert (labels["grafana"], labels["mine"]) == ("worker_node", "all")
    assert (labels["restfulapi"], labels["worker"]) == ("etcd_node_1", "worker_node")


def test_sizes_of_machines() -> None:
    text = "{NC24: {gpu: 4, gpu_type: P40, memory: 448, infiniband: yes}, NC6: }"
    sizes = made(f"sku_mapping: {text}").sku_mapping
    big = sizes["NC24"]
    assert (big.gpu, big.gpu_type, big.memory, big.infiniband) == (4, "P40", "448", True)
    assert (sizes["NC6"].gpu, sizes["NC6"].gpu_type) == (None, "")


def test_settings_for_other_programs_can_be_written_again() -> None:
    text = "kubelet: {a: 1.50, b: [0o17, 010, {c: yes}], d: 'x', password: p}"
    settings = made(f"kubernetes: {{{text}}}").kubernetes.kubelet
    again = yaml.safe_load(yaml.safe_dump(settings))
    assert again == {"a": 1.5, "b": ["0o17", 8, {"c": True}], "d": "x", "password": "p"}


def test_addresses_come_from_the_machine_then_the_hosts_file_then_dns() -> None:
    text = "network: {domain: x.example}\nmachines:\n  a: {role: infra, private_ip: 10.1.0.1}\n" \
           "  b: {role: worker}\n  c: {role: worker}\n"  # fmt: skip
    machines = made(text).machines
    hosts = parse_hosts(
        "127.0.0.1 localhost\n10.1.0.9 a\n 10.1.0.2\tb.x.example b # b\nx c\n#1 c\n"
    )
    assert [address_of(machines[name], hosts) for name in "abc"] == ["10.1.0.1", "10.1.0.2", None]
    assert parse_hosts("10.0.0.1 a\n10.0.0.2 a\n") == {"a": "10.0.0.1"}


def test_a_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DLWS_TEST_SECRET", "a b'\"$(x)")
    config = made("mysql_password: env:DLWS_TEST_SECRET")
    assert config.warnings == () and config.mysql_password
    assert config.mysql_password.get_secret_value() == "a b'\"$(x)"
    monkeypatch.delenv("DLWS_TEST_SECRET")
    with pytest.raises(UsageError, match="DLWS_TEST_SECRET is not set"):
        config.mysql_password.get_secret_value()


def test_a_secret_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    secret = tmp_path / "pass word"
    secret.write_text("s3cret\n")
    write(tmp_path, minimal("mysql_password: 'file:pass word'"))
    secret.chmod(0o600)
    config = load(tmp_path)
    assert config.mysql_password
    assert config.mysql_password.get_secret_value() == "s3cret"
    secret.chmod(0o640)
    with pytest.raises(ConfigError, match=r"can be read by others \(mode 640\)"):
        load(tmp_path)
    with pytest.raises(UsageError, match="can be read by others"):
        config.mysql_password.get_secret_value()


@pytest.mark.parametrize(
    "text",
    [
        "mysql_password: [c4nary]",
        "x: {password: c4nary, y: z}\nx: 2",
        "mysql_password: *c4nary",
        "mysql_pasword: c4nary",
        "machines: {m1: {role: infra, pwsd: c4nary}}",
        "mysql_password: c4nary\nmysql_password: c4nary2",
        "jwt: {secret_key: {c4nary: 1}}",
        "mysql_password: !c4nary x",
        "mysql_password: 'c4nary",
        "mysql_password: c4nary # c4nary",
    ],
)
def test_problems_do_not_show_secrets(text: str) -> None:
    problems = look(minimal(text)).problems
    assert problems
    assert "c4nary" not in "\n".join(problem.render() for problem in problems)


def test_hiding_leaves_what_is_no_secret() -> None:
    assert hide_secrets("  password: abc # x") == "  password: ****"
    assert hide_secrets("  password: env:NAME") == "  password: ****"
    assert hide_secrets("rack: pass") == "rack: pass"


def test_control_characters_do_not_reach_the_terminal() -> None:
    (problem,) = look(minimal('"a\\e[2Jb": 1')).problems
    assert "\x1b" not in problem.render()


@pytest.mark.parametrize(
    ("text", "servers"),
    [
        ("supported_platform: [azure_cluster]", ["192.0.2.8"]),
        ("azure_cluster: {azure_location: westus2}", ["192.0.2.8"]),
        ("", ["192.0.2.50"]),
        ("supported_platform: [other]", ["192.0.2.8", "192.0.2.50"]),
    ],
)
def test_name_servers_are_those_of_the_platform(text: str, servers: list[str]) -> None:
    table = "dns_server: {azure_cluster: 192.0.2.8, onpremise: 192.0.2.50}\n"
    assert made(table + text).dns_servers == servers
