"""The rules about what others left on a node."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlws.check import rules
from tests.support.facts import INFRA, TEXT, F, W, config_of, told

BRIDGE = TEXT.replace("network: flannel", "network: bridge, pod_cidr: 10.244.0.0/16")

KUBELET, ETCD, SSH = ("0.0.0.0", 10250), ("127.0.0.1", 2379), ("0.0.0.0", 22)


@pytest.mark.parametrize(("changes", "expected"), [
    ({"routes": (("192.168.7.0/24", "eth0", ""),)}, []),
    ({"routes": (("10.244.9.0/24", "ib0", ""),)}, [(F, "networks")]),
    ({"routes": (("10.96.0.0/16", "eth1", "10.1.0.254"),)}, [(F, "networks")]),
    ({"routes": (("10.0.0.0/8", "eth1", "10.1.0.254"),)}, [(F, "networks"), (F, "networks")]),
    ({"routes": (("10.244.1.0/24", "eth0", "10.1.0.11"),), "member": True}, []),
    ({"routes": (("10.244.0.0/24", "cni0", ""), ("10.244.2.0", "cali1", "")), "member": True}, []),
    ({"routes": (("10.244.9.0/24", "ib0", ""),), "member": True}, [(F, "networks")]),
    ({"routes": (("garbage", "ib0", ""), ("", "", ""), ("fd00::/8", "eth0", ""))}, []),
    ({"cni": ("10-dlws.conflist", "99-loopback.conf")}, []),
    ({"cni": ("05-k3s.conf", "10-dlws.conflist")}, [(F, "cni")]),
    ({"cni": ("10-calico.conflist",)}, [(F, "cni")]),
    ({"listens": frozenset({KUBELET, SSH})}, [(F, "listeners")]),
    ({"listens": frozenset({ETCD})}, [(F, "listeners")]),
    ({"listens": frozenset({("127.0.0.1", 2381)})}, [(F, "listeners")]),
    ({"listens": frozenset({("127.0.0.1", 10248)})}, [(F, "listeners")]),
    ({"listens": frozenset({KUBELET, ETCD}), "member": True}, []),
    ({"listens": frozenset({KUBELET}), "sudo_error": "x",
      "routes": (("10.244.1.0/24", "eth0", "10.1.0.11"),)}, [(F, "sudo")]),
    ({"cloud_hosts": "files"}, [(W, "hosts")]),
    ({"readonly": ("/var/lib",)}, [(F, "writable")]),
    ({"noexec": ("/var/tmp", "/tmp")}, [(W, "executable")]),
    ({"quota": ("Disk quotas for user a (uid 1000):", "/dev/sda1 9*  8  8 6days")}, [(F, "quota")]),
    ({"apt": "unattended-upgr|812"}, [(W, "packages")]),
])  # fmt: skip
def test_what_others_left(
    tmp_path: Path, changes: dict[str, Any], expected: list[tuple[str, str]]
) -> None:
    found = rules.alone(replace(INFRA, **changes), config_of(tmp_path, BRIDGE))
    assert told(found) == expected


@pytest.mark.parametrize(("who", "cure"), [
    ("NetworkManager", "nmcli"), ("netconfig", "dns_server to netconfig"), ("resolvconf(8)", ""),
])  # fmt: skip
def test_who_else_writes_the_name_servers_is_named_where_config_yaml_gives_some(
    tmp_path: Path, who: str, cure: str
) -> None:
    facts = replace(INFRA, resolver=who)
    with_servers = f"dns_server: {{local: 10.1.0.53}}\n{BRIDGE}"
    found = rules.alone(facts, config_of(tmp_path, with_servers))
    assert told(found) == ([(W, "resolver")] if cure else [])
    assert not found or cure in found[0].cure
    assert rules.alone(facts, config_of(tmp_path, BRIDGE)) == []


def test_user_data_counts_more_than_files(tmp_path: Path) -> None:
    (found,) = rules.alone(replace(INFRA, cloud_hosts="user-data"), config_of(tmp_path, BRIDGE))
    assert "user data" in found.cure and "99-dlws.cfg" not in found.cure


def test_both_are_named(tmp_path: Path) -> None:
    facts = replace(INFRA, routes=(("10.244.9.0/24", "ib0", ""),), cni=("05-k3s.conf",))
    networks, cni = rules.alone(facts, config_of(tmp_path, BRIDGE))
    assert networks.what == (
        "its route to 10.244.9.0/24 (ib0) lies within the network of pods, 10.244.0.0/16"
    )
    assert "kubernetes.pod_cidr" in networks.cure
    assert "05-k3s.conf comes before 10-dlws.conflist" in cni.what


def test_a_worker_needs_only_the_kubelets_port(tmp_path: Path) -> None:
    worker = replace(INFRA, node="worker01", listens=frozenset({ETCD}), hostname="worker01",
                     address="10.1.0.11", addresses=("10.1.0.11",))  # fmt: skip
    config = config_of(tmp_path, BRIDGE)
    assert "listeners" not in [one.check for one in rules.alone(worker, config)]
