"""Names, networks, parsing and plans of a sandbox, without any node."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.sandbox import cgroups, naming, network, nodes, plan, rootfs
from dlws.sandbox.state import Sandbox, SandboxNode

BOX = Sandbox(
    "abc123",
    "/x",
    "10.77.4.0/24",
    "example.org",
    "bookworm",
    nodes=(SandboxNode("a", "worker", 3),),
)


def test_links_fit_the_kernel_however_long_the_directory_is() -> None:
    id = naming.sandbox_id(Path("/" + "long " * 200))
    assert len(naming.link(naming.label(id, naming.LARGEST))) <= 15
    assert len(naming.bridge(id)) <= 15


def test_two_directories_have_two_names() -> None:
    assert naming.sandbox_id(Path("/tmp/a")) != naming.sandbox_id(Path("/tmp/b"))


def test_a_directory_has_one_name_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert naming.sandbox_id(tmp_path / "link") == naming.sandbox_id(tmp_path)


def test_subnet_is_the_first_that_meets_nobody() -> None:
    taken = [IPv4Network("10.77.0.0/23"), IPv4Network("10.77.2.128/30")]
    assert naming.free_subnet(taken) == IPv4Network("10.77.3.0/24")


def test_subnet_leaves_ten_eight_when_pods_have_it() -> None:
    assert naming.free_subnet([IPv4Network("10.0.0.0/8")]) == IPv4Network("172.27.0.0/24")


def test_no_subnet_free_says_what_to_do() -> None:
    with pytest.raises(DeployError, match="no network is free") as caught:
        naming.free_subnet([IPv4Network("0.0.0.0/0")])
    assert "--all" in caught.value.cure


def test_wanted_subnet_is_not_exchanged_silently() -> None:
    wanted = IPv4Network("10.77.9.0/24")
    assert naming.free_subnet([], wanted) == wanted
    with pytest.raises(DeployError):
        naming.free_subnet([IPv4Network("10.77.9.7/32")], wanted)


def test_every_node_has_an_address_of_its_network() -> None:
    subnet = IPv4Network("10.77.4.0/24")
    last = naming.address(subnet, naming.LARGEST)
    assert last in subnet and last != subnet.broadcast_address


def test_used_networks_reads_routes() -> None:
    routes = [
        {"dst": "default"},
        {"dst": "10.1.0.0/16"},
        {"dst": "10.2.3.4"},
        {"dst": "0.0.0.0/0"},
        {"type": "unreachable", "dst": "10.77.0.0/24"},
    ]
    found = network.used_networks(json.dumps(routes))
    assert list(map(str, found)) == ["10.1.0.0/16", "10.2.3.4/32", "10.77.0.0/24"]
    assert network.used_networks("") == []


def test_nameservers_of_the_machine_alone_do_not_count() -> None:
    text = "# x\nnameserver 127.0.0.53\nnameserver ::1\nnameserver 9.9.9.9\nnameserver\n"
    assert network.parse_nameservers(text) == ["9.9.9.9"]


def test_tables_of_another_sandbox_are_left_alone() -> None:
    names = ["dlws_abc123", "dlws_abc123_4", "dlws_abc1234", "dlws_abc12", "filter"]
    listing = json.dumps({"nftables": [{"table": {"family": "ip", "name": n}} for n in names]})
    found = network.tables_of("abc123", listing)
    assert found == [("ip", "dlws_abc123"), ("ip", "dlws_abc123_4")]


def test_a_table_with_a_rule_or_a_dropping_chain_is_not_empty() -> None:
    def table(*entries: object) -> str:
        return json.dumps({"nftables": [{"table": {}}, *entries]})

    accepting = {"chain": {"policy": "accept"}}
    assert network.is_empty_table(table(accepting))
    assert not network.is_empty_table(table(accepting, {"rule": {}}))
    assert not network.is_empty_table(table({"chain": {"policy": "drop"}}))
    assert not network.is_empty_table("")


def test_rules_guard_pods_and_other_sandboxes() -> None:
    rules = network.ruleset(BOX, [IPv4Network("10.244.0.0/16")])
    assert 'iifname "dl-abc123" oifname "dl-*" oifname != "dl-abc123" reject' in rules
    assert 'oifname != "dl-abc123" ip daddr 10.244.0.0/16 reject' in rules
    assert 'ip saddr 10.77.4.0/24 oifname != "dl-abc123" masquerade' in rules


def test_sources_turn_to_the_release_of_the_nodes() -> None:
    targets = (
        "http://m/debian/ bookworm main\n"
        "http://m/debian/ bookworm main\n"
        "http://m/debian/ bookworm contrib\n"
        "http://m/security/ bookworm-security main\n"
        "https://other/apt stable main\n"
        "\n"
    )
    assert rootfs.sources(targets, "bookworm", "trixie") == [
        "deb http://m/debian/ trixie main contrib",
        "deb http://m/security/ trixie-security main",
    ]


def test_apt_settings_keeps_proxies_and_certificates_only() -> None:
    dump = (
        'APT::Architecture "amd64";\nAcquire::http::Proxy "http://p:1";\n'
        'Acquire::https::CaInfo "/x";\nAcquire::http::Proxy::host "DIRECT";\n'
        'Acquire::http::Timeout "3";\n'
    )
    assert rootfs.apt_settings(dump) == [
        'Acquire::http::Proxy "http://p:1";',
        'Acquire::https::CaInfo "/x";',
        'Acquire::http::Proxy::host "DIRECT";',
    ]


def test_unknown_release_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="sid"):
        rootfs.known("sid")


def test_leader_is_process_one_directly_below_us() -> None:
    assert cgroups.is_leader("Name:\tsystemd\nNSpid:\t4711\t1\n")
    assert not cgroups.is_leader("NSpid:\t4711\n")
    assert not cgroups.is_leader("NSpid:\t4711\t100\n")
    assert not cgroups.is_leader("NSpid:\t4711\t90\t1\n")  # process 1 of a pod
    assert not cgroups.is_leader("Name:\tx\n")


def test_groups_of_a_node_are_found_wherever_its_starter_stood(tmp_path: Path) -> None:
    for path in ("memory/a/b/dlws-abc123-1/x", "cpu/dlws-abc123-1", "cpu/dlws-abc123-11"):
        (tmp_path / path).mkdir(parents=True)
    (tmp_path / "v2.slice/dlws-abc123-1.scope").mkdir(parents=True)
    found = {str(path.relative_to(tmp_path)) for path in cgroups.groups("abc123-1", tmp_path)}
    expected = {"memory/a/b/dlws-abc123-1", "cpu/dlws-abc123-1", "v2.slice/dlws-abc123-1.scope"}
    assert found == expected
    assert cgroups.labels("abc123", tmp_path) == {"abc123-1", "abc123-11"}
    assert cgroups.labels("abc12", tmp_path) == set()


def test_mounts_come_deepest_first_and_of_this_folder_only() -> None:
    lines = ["/", "/s/a b-1", "/s/a b-1/root", "/s/a b-11"]
    text = "\n".join(f"1 2 0:3 / {line.replace(' ', chr(92) + '040')} rw - x" for line in lines)
    assert nodes.mounts_below(text, Path("/s/a b-1")) == ["/s/a b-1/root", "/s/a b-1"]


def test_hosts_names_each_node_fully_and_shortly() -> None:
    assert "10.77.4.14 a.example.org a\n" in nodes.hosts(BOX)


def test_write_never_goes_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").symlink_to(outside)
    nodes.write(tmp_path, "etc/resolv.conf", "new", 0o640)
    assert outside.read_text() == "mine"
    assert (tmp_path / "etc/resolv.conf").read_text() == "new"
    assert (tmp_path / "etc/resolv.conf").stat().st_mode & 0o777 == 0o640


def test_extended_keeps_nodes_and_never_uses_an_index_twice() -> None:
    old = (SandboxNode("a", "worker", 0), SandboxNode("c", "worker", 5))
    new = plan.extended(old, [("a", "worker"), ("b", "infrastructure")])
    assert new == (*old, SandboxNode("b", "infrastructure", 6))


def test_too_many_nodes_are_refused() -> None:
    with pytest.raises(UsageError, match="241 nodes"):
        plan.extended((), plan.counted(1, 240))


@pytest.mark.parametrize(
    "name", ["a b", "$(x)", "-a", "a'", "a;b", "a\nb", "ü", "", "a" * 65, "../x"]
)
def test_names_that_no_machine_can_have_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        plan.named({"machines": {name: {"role": "worker"}}})


def test_named_takes_scale_up_too_and_long_names() -> None:
    long = "x" * 63
    config = {"machines": {"a": {"role": "infra"}}, "scale_up": {long: None}}
    assert plan.named(config) == [("a", "infra"), (long, "worker")]


@pytest.mark.parametrize("content", ["", "[1, 2]", "a: [", "\x00", "text"])
def test_read_explains_what_is_no_configuration(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(content)
    with pytest.raises(UsageError):
        plan.read(path)


def test_read_of_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        plan.read(tmp_path / "nothing.yaml")


def test_revived_finds_the_nodes_of_a_sandbox_that_was_taken_down() -> None:
    config = {
        "machines": {
            "a": {"role": "infrastructure", "private-ip": "10.77.4.11"},
            "b": {"role": "worker", "private-ip": "10.77.4.14"},
        }
    }
    subnet, found = plan.revived(config, Path("config.yaml"))
    assert subnet == IPv4Network("10.77.4.0/24")
    assert found == (SandboxNode("a", "infrastructure", 0), SandboxNode("b", "worker", 3))


@pytest.mark.parametrize("address", ["192.0.2.3", "10.77.4.3", "10.77.5.11", "x", None])
def test_a_configuration_of_real_machines_is_not_revived(address: str | None) -> None:
    config = {
        "machines": {
            "a": {"role": "infrastructure", "private-ip": "10.77.4.11"},
            "b": {"role": "worker", "private-ip": address},
        }
    }
    with pytest.raises(Refused):
        plan.revived(config, Path("config.yaml"))
