"""Each rule on facts as nodes give them: what it finds, and that it is quiet otherwise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dlws.check import across, rules
from dlws.check.facts import Device, Disk
from dlws.config import Config
from tests.support.facts import ALL, INFRA, NPU, TEXT, WORKER, F, U, W, config_of, told


def test_healthy_nodes_have_no_findings(config: Config) -> None:
    assert [rules.alone(facts, config) for facts in ALL] == [[], [], []]
    assert across.together(ALL, config) == []


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
        (
            {"nvidia": Device(stand_ins=("nvidia0",)), "container": "lxc"},
            [(U, "container"), (U, "stand_ins")],
        ),
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
