"""Each rule on facts as nodes give them: what it finds, and that it is quiet otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlws.check import across, ports, rules
from dlws.check.facts import Device, Disk, Facts, Port, parse
from dlws.check.findings import Finding
from dlws.config import Config, load

TEXT = """
cluster_name: atlas
network: {domain: example.org}
kubernetes: {version: 1.30.4, network: flannel}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  worker01: {role: worker, private-ip: 10.1.0.11, type: gpu, vendor: nvidia, os: ubuntu}
  worker02: {role: worker, private-ip: 10.1.0.12, archtype: arm64, type: npu, vendor: huawei}
"""
THREE = TEXT.replace(
    "infra01:", "infra02: {role: [infra, nfs]}\n  infra03: {role: infra}\n  infra01:"
)
GPU = (Path(__file__).parent / "data/gpu.txt").read_text()
WORKER = replace(parse(Facts("worker01", "10.1.0.11"), GPU, (1795328126.0, 1795328127.0)), swap=())
NPU = Device(("0000:c1:00.0",), "23.0.1", "1.72.T2.100.B020", True)
INFRA = replace(
    WORKER, node="infra01", address="10.1.0.1", addresses=("10.1.0.1",), hostname="infra01",
    machine_id="1" * 32, boot_id="2", product_uuid="3", host_keys=("SHA256:i",), nvidia=Device(),
    names={}, back={}, ports={("worker01", 10250): Port("10.1.0.11", "refused")},
)  # fmt: skip
SECOND = replace(
    WORKER, node="worker02", address="10.1.0.12", addresses=("10.1.0.12",), hostname="worker02",
    machine_id="4" * 32, boot_id="5", product_uuid="6", host_keys=("SHA256:w",), nvidia=Device(),
    names={}, back={}, architecture="arm64", huawei=NPU, ascend_runtime=True,
)  # fmt: skip
ALL = (INFRA, WORKER, SECOND)


def config_of(directory: Path, text: str = TEXT) -> Config:
    (directory / "config.yaml").write_text(text)
    return load(directory)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path)


def told(findings: list[Finding]) -> list[tuple[str, str]]:
    assert all(one.what and one.cure and one.check for one in findings)
    return [(one.level, one.check) for one in findings]


def test_healthy_nodes_have_no_findings(config: Config) -> None:
    assert [rules.alone(facts, config) for facts in ALL] == [[], [], []]
    assert across.together(ALL, config) == []


F, W, U = "failure", "warning", "unknown"
OLD = Device(("a",), "418.87", "430", False)
NONE = Device(("a",), "", "430")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"error": "no answer", "cure": "x", "os_id": "beos"}, [(F, "ssh")]),
        ({"complete": False}, [(F, "ssh")]),
        ({"sudo_error": "sudo refuses u"}, [(F, "sudo")]),
        ({"os_id": "fedora", "os_like": "rhel"}, [(F, "system")]),
        ({"os_id": "debian"}, [(F, "system")]),
        ({"os_id": "linuxmint", "os_like": "ubuntu debian"}, [(F, "system")]),
        ({"os_version": "16.04"}, [(W, "system")]),
        ({"os_version": "rolling"}, [(W, "system")]),
        ({"os_version": "26.04"}, []),
        ({"systemd": False}, [(F, "system")]),
        ({"architecture": "arm64"}, [(F, "architecture")]),
        ({"architecture": "riscv64"}, [(F, "architecture")]),
        ({"architecture": ""}, []),
        ({"hostname": "ubuntu"}, [(W, "hostname")]),
        ({"hostname": "Worker01.example.org"}, []),
        ({"addresses": ("10.1.0.99",)}, [(F, "address")]),
        ({"addresses": ()}, []),
        ({"disks": (Disk("/", 1 << 20, 1 << 30),)}, [(F, "disk")]),
        ({"disks": (Disk("/var/lib", 10 << 20, 1 << 30),)}, [(W, "disk")]),
        ({"inodes": (Disk("/", 100, 1 << 20),)}, [(W, "disk")]),
        ({"memory": 1 << 20}, [(W, "memory")]),
        ({"memory": None}, []),
        ({"cores": 1}, [(W, "cores")]),
        ({"swap": ("/swap.img",)}, [(W, "swap")]),
        ({"swap": ("/swap.img",), "container": "lxc"}, [(U, "container")]),
        ({"modules": {"overlay": "missing", "br_netfilter": "loaded"}}, [(F, "modules")]),
        ({"modules": {"overlay": "loaded", "br_netfilter": "missing"}}, [(W, "modules")]),
        ({"modules": {"overlay": "missing"}, "container": "lxc"}, [(U, "container")]),
        ({"nvidia": Device()}, [(F, "nvidia")]),
        ({"nvidia": Device(), "container": "lxc"}, [(U, "container")]),
        ({"nvidia": OLD}, [(F, "nvidia")]),
        ({"nvidia": NONE, "secure_boot": False}, [(F, "nvidia")]),
        ({"nvidia": NONE, "secure_boot": True}, [(F, "nvidia"), (W, "nvidia")]),
        (
            {"nvidia": NONE, "secure_boot": True, "nouveau": True},
            [(F, "nvidia"), (W, "nvidia"), (W, "nvidia")],
        ),
        ({"huawei": NPU, "ascend_runtime": True}, [(W, "huawei")]),
        ({"huawei": NPU}, [(W, "huawei"), (F, "huawei")]),
        ({"mirrors": {"http://m x": "HTTP/1.1 404 Not Found"}}, [(F, "mirrors")]),
        ({"mirrors": {"http://m x": "silent", "http://n y": "unreachable"}}, [(F, "mirrors")] * 2),
        ({"mirrors": {"http://m x": "HTTP/1.1 302 Found"}}, []),
        ({"hosts": {("registry.k8s.io", 443): "silent"}}, [(F, "registries")]),
        ({"hosts": {("registry.k8s.io", 443): "unknown-name"}, "proxy": True}, [(W, "registries")]),
    ],
)  # fmt: skip
def test_one_node(config: Config, changes: dict[str, Any], expected: list[Any]) -> None:
    assert told(rules.alone(replace(WORKER, **changes), config)) == expected


def test_an_infra_node_has_to_be_as_big_as_kubeadm_asks(tmp_path: Path) -> None:
    small = replace(INFRA, memory=1 << 20, cores=1)
    assert told(rules.alone(small, config_of(tmp_path))) == [(F, "memory"), (F, "cores")]
    ignoring = TEXT.replace("network: flannel", "ignore_preflight_errors: [mem, NumCPU]")
    assert told(rules.alone(small, config_of(tmp_path, ignoring))) == [(W, "memory"), (W, "cores")]


def test_an_os_that_nobody_wrote_cannot_be_wrong(config: Config) -> None:
    assert rules.alone(replace(INFRA, os_id="debian", os_version="12"), config) == []


def test_a_share_needs_not_what_kubernetes_needs(tmp_path: Path) -> None:
    share = config_of(tmp_path, TEXT.replace("role: worker, private-ip: 10.1.0.11", "role: nfs"))
    odd = replace(WORKER, swap=("x",), cores=1, modules={"overlay": "missing"})
    assert rules.alone(odd, share) == []


def test_kubelet_may_be_told_to_live_with_swap(tmp_path: Path) -> None:
    text = TEXT.replace("network: flannel", "kubelet: {failSwapOn: false}")
    assert rules.alone(replace(WORKER, swap=("x",)), config_of(tmp_path, text)) == []


def test_a_bundle_needs_no_mirror_and_no_registry(tmp_path: Path) -> None:
    away = replace(WORKER, mirrors={"m": "silent"}, hosts={("r", 443): "silent"})
    text = TEXT.replace("network: flannel", "source: bundle")
    assert rules.alone(away, config_of(tmp_path, text)) == []


def test_facts_that_are_missing_are_not_judged(config: Config) -> None:
    assert told(rules.alone(Facts("worker01"), config)) == [(F, "ssh")]
    assert across.together([Facts(facts.node) for facts in ALL], config) == []


def together(
    config: Config, infra: Any = (), worker: Any = (), second: Any = ()
) -> set[tuple[str, str, str]]:
    changed = [
        replace(facts, **dict(c)) for facts, c in zip(ALL, (infra, worker, second), strict=True)
    ]
    return {(one.level, one.node, one.check) for one in across.together(changed, config)}


def test_a_clock_is_compared_with_most(config: Config) -> None:
    assert together(config, {"skew": 61.0}) == {(F, "infra01", "clock")}
    assert together(config, {"skew": -30.0}) == {(W, "infra01", "clock")}
    assert together(config, {"skew": 1.5}) == set()
    off = {"skew": 3600.0}
    assert together(config, off, off, off) == {(W, "devbox", "clock")}


def test_two_clocks_are_compared_with_the_devbox(config: Config) -> None:
    found = across.clock([INFRA, replace(WORKER, skew=-90)], config)
    assert [(one.level, one.node) for one in found] == [(F, "worker01")]
    assert found[0].what == "its clock is 90 s behind the devbox"


BOTH = {(F, "infra01", "identity"), (F, "worker01", "identity")}


@pytest.mark.parametrize("name", ["machine_id", "hostname", "product_uuid", "host_keys"])
def test_a_copy_of_a_machine(config: Config, name: str) -> None:
    assert together(config, {name: getattr(WORKER, name)}) == BOTH


def test_who_wants_one_host_key_for_all_is_not_told_of_it(config: Config) -> None:
    shared = config.model_copy(
        update={"ssh": config.ssh.model_copy(update={"shared_host_keys": True})}
    )
    assert together(shared, {"host_keys": WORKER.host_keys}) == set()


def test_one_machine_twice_is_told_once(config: Config) -> None:
    same: Any = {"machine_id": WORKER.machine_id, "boot_id": WORKER.boot_id, "hostname": "worker01"}
    assert together(config, same) == BOTH
    found = across.identity([replace(INFRA, **same), WORKER], config)
    assert {one.what for one in found} == {"infra01,worker01 are one machine"}


def test_containers_share_the_product_uuid(config: Config) -> None:
    shared = {"product_uuid": "x", "container": "lxc"}
    assert together(config, shared, shared) == set()


def test_an_address_twice(tmp_path: Path, config: Config) -> None:
    more = {"addresses": ("10.1.0.1", "10.1.0.11")}
    assert together(config, more) == {(F, "infra01", "addresses")}
    bridges = {"addresses": (*INFRA.addresses, "172.17.0.1")}
    assert together(config, bridges, {"addresses": ("10.1.0.11", "172.17.0.1")}) == set()


def api(verdict: str) -> dict[str, Any]:
    return {"ports": {("infra01", 6443): Port("10.1.0.1", verdict)}}


@pytest.mark.parametrize("verdict", ["silent", "blocked No route to host"])
def test_a_port_that_a_firewall_hides(config: Config, verdict: str) -> None:
    assert together(config, (), api(verdict)) == {(F, "worker01", "ports")}


def test_a_closed_port_was_reached_unless_something_listens(config: Config) -> None:
    refused = api("refused")
    assert together(config, (), refused) == set()
    inside = {"listens": frozenset({("127.0.0.1", 6443)})}
    assert together(config, inside, refused) == set()
    outside = {"listens": frozenset({("::", 6443)})}
    assert together(config, outside, refused) == {(F, n, "ports") for n in ("worker01", "worker02")}


def test_a_node_that_is_away_is_not_told_of_twice(config: Config) -> None:
    assert together(config, {"error": "x"}, api("silent")) == set()


def test_ports_of_nodes_that_were_not_asked_for_count(config: Config) -> None:
    hidden = replace(WORKER, **api("silent"))
    assert [one.node for one in across.ports([hidden], config)] == ["worker01"]


@pytest.mark.parametrize(
    ("has", "level"),
    [
        (("10.1.0.1",), None),
        (("10.1.0.1", "10.9.9.9"), F),
        (("10.9.9.9",), F),
        (("127.0.1.1",), F),
        (("silent",), W),
        ((), W),
    ],
)
def test_what_a_name_leads_to(config: Config, has: tuple[str, ...], level: str | None) -> None:
    found = together(config, (), {"names": {**WORKER.names, "infra01.example.org": has}})
    assert found == ({(level, "worker01", "names")} if level else set())


def test_a_second_address_of_a_node_is_no_mistake(config: Config) -> None:
    second = {"addresses": ("10.1.0.1", "10.2.0.1")}
    names = {"names": {"infra01.example.org": ("10.1.0.1", "10.2.0.1")}}
    assert together(config, second, names, names) == set()


def test_a_name_that_is_left_to_dns_leads_to_its_machine(config: Config) -> None:
    for there, level in (("10.3.0.1", None), ("10.9.9.9", F)):
        left = {"address": "infra01.example.org", "addresses": ("10.1.0.1", "10.3.0.1")}
        found = together(config, left, {"names": {"infra01.example.org": (there,)}})
        assert found == ({(level, "worker01", "names")} if level else set())


def test_a_nodes_own_name_may_be_the_loopback_address(config: Config) -> None:
    assert WORKER.names["worker01.example.org"] == ("127.0.1.1",)
    elsewhere = {"names": {"infra01.example.org": ("127.0.1.1", "10.9.9.9")}}
    assert together(config, elsewhere) == {(F, "infra01", "names")}


@pytest.mark.parametrize(
    ("has", "level"), [(("x.test",), None), (("worker02.example.org",), F), ((), W)]
)
def test_what_an_address_is_called(config: Config, has: tuple[str, ...], level: str | None) -> None:
    found = together(config, (), {"back": {"10.1.0.1": has}})
    assert found == ({(level, "worker01", "names")} if level else set())


def test_the_ports_of_one_infra_node(config: Config) -> None:
    assert ports.needed(config) == [
        ("worker01", "infra01", 6443),
        ("worker02", "infra01", 6443),
        ("infra01", "worker01", 10250),
        ("infra01", "worker02", 10250),
    ]


def test_the_ports_of_three_infra_nodes_and_a_share(tmp_path: Path) -> None:
    needed = ports.needed(config_of(tmp_path, THREE))
    assert ("infra01", "infra03", 2379) in needed and ("infra03", "infra01", 2380) in needed
    assert ("worker01", "infra02", 2379) not in needed and (
        "worker01",
        "worker02",
        10250,
    ) not in needed
    assert ("worker02", "infra02", 2049) in needed and ("infra02", "infra02", 2049) not in needed
    assert len(needed) == len(set(needed))
    calico = ports.needed(config_of(tmp_path, THREE.replace("flannel", "calico")))
    assert ("worker01", "worker02", 179) in calico
