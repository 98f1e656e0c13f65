"""What config.yaml asks of a node, and the keys that it stems from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dlws.config.reading.load import inspect
from dlws.verify.compare import expected
from dlws.verify.fix import FIXES
from dlws.verify.kinds.label import label_origin
from dlws.verify.kinds.runtime import key_origin as runtime_origin
from dlws.verify.kinds.script import key_origin as script_origin
from dlws.verify.report import origin
from dlws.verify.things import ClusterFacts, Expectation
from tests.support.fakes import CONFIG, World
from tests.support.judge import known_of

OWN = ("machines", "worker01")


def things(world: World, known: ClusterFacts, name: str = "worker01") -> list[Expectation]:
    node = next(node for node in world.cluster.nodes if node.name == name)
    return expected(world.cluster, node, known)


def kinds(found: list[Expectation]) -> set[str]:
    return {thing.kind for thing in found}


def test_before_there_is_a_cluster(world: World) -> None:
    found = things(world, ClusterFacts())
    assert kinds(found) == {"hosts", "others", "script"}
    names = [thing.what for thing in found if thing.kind == "script"]
    assert "prepare_ubuntu.sh" in names
    assert "sshkey" not in names and "install_kubeadm.sh" not in names


def test_the_key_where_dlws_installs_it(world: World) -> None:
    assert Expectation("script", "sshkey", "", (("admin_username",), OWN), "sshkey") in things(
        world, ClusterFacts(b"ssh-ed25519 AAAA test\n")
    )


def test_in_a_cluster(world: World) -> None:
    found = things(world, known_of(world))
    assert kinds(found) == {
        *("hosts", "others", "script", "runtime", "unit", "certificate", "file", "argument"),
        *("version", "label", "taint", "device"),
    }
    assert "install_kubeadm.sh" in [thing.what for thing in found]


def test_a_node_that_has_not_joined(world: World) -> None:
    known = known_of(world)
    found = things(world, replace(known, live={}))
    assert kinds(found) == {"hosts", "others", "script", "member"}


def test_a_silent_api_server(world: World) -> None:
    assert "api" not in kinds(things(world, ClusterFacts(silent="no answer"), "worker01"))
    found = things(world, ClusterFacts(silent="no answer"), "infra01")
    assert {"api", "runtime", "unit", "certificate", "file"} <= kinds(found)
    assert not {"label", "taint", "version", "device"} & kinds(found)


def test_a_node_outside_kubernetes(make: Callable[..., World]) -> None:
    world = make(f"{CONFIG}  store: {{role: nfs, private-ip: 10.1.0.20}}\n")
    assert kinds(things(world, known_of(world), "store")) == {"hosts", "others"}


def test_taints(world: World) -> None:
    known = known_of(world)
    own = [t.wanted for t in things(world, known, "infra01") if t.kind == "taint"]
    other = [t.wanted for t in things(world, known, "worker01") if t.kind == "taint"]
    assert own == ["NoSchedule"] and other == ["", ""]


def test_masters_that_work_have_no_taint_to_lose(world: World) -> None:
    known = known_of(world)
    assert known.live
    infra = replace(known.live["infra01"], labels={"worker": "active"})
    employed = replace(known, live={**known.live, "infra01": infra})
    assert "taint" not in kinds(things(world, employed, "infra01"))


def test_no_plugin_has_to_offer_what_an_infra_node_has(world: World) -> None:
    """Plugins run where the labels of workers are."""
    node = world.cluster.infra[0]
    node.machine = node.machine.model_copy(update={"type": "npu", "vendor": "huawei"})
    assert "device" not in kinds(things(world, known_of(world), node.name))


def test_devices_by_type_and_vendor(world: World) -> None:
    known = known_of(world)
    offered = {n: [t.what for t in things(world, known, n) if t.kind == "device"] for n in (
        "infra01", "worker01", "worker02")}  # fmt: skip
    assert offered == {
        "infra01": [],
        "worker01": ["nvidia.com/gpu"],
        "worker02": ["huawei.com/Ascend910"],
    }


@pytest.mark.parametrize(
    ("script", "kind", "what", "key"),
    [
        ("sshkey", "file", "/home/x/.ssh/authorized_keys", ("admin_username",)),
        ("install_kubeadm.sh", "file", "/usr/bin/kubelet", ("kubernetes", "version")),
        ("dns.sh", "file", "/etc/resolv.conf", ("dns_server", "onpremise")),
        ("prepare_ubuntu.sh", "file", "/etc/apt/sources.list", ("apt_mirror_url",)),
        ("prepare_ubuntu.sh", "file", "/etc/sysctl.d/x", (*OWN, "role")),
        ("prepare_ubuntu.sh", "group", "docker", ("admin_username",)),
        ("prepare_ubuntu.sh", "package", "a-container-toolkit|b", (*OWN, "type")),
        ("prepare_ubuntu.sh", "unit", "containerd", ("container_runtime",)),
        ("docker_network_gc_setup.sh", "sysctl", "net.x", (*OWN, "role")),
    ],
)
def test_where_a_scripts_difference_stems_from(
    make: Callable[..., World], script: str, kind: str, what: str, key: tuple[str, ...]
) -> None:
    config = make(f"{CONFIG}container_runtime: containerd\n").cluster.config
    assert script_origin(config, "worker01", script, kind, what)[0] == key


@pytest.mark.parametrize(
    ("keys", "first"),
    [
        (("plugins", "x", "SystemdCgroup"), ("kubernetes", "kubelet", "cgroupDriver")),
        (("plugins", "x", "sandbox_image"), ("kubernetes", "version")),
        (("plugins", "x", "default_runtime_name"), (*OWN, "type")),
        (("version",), ("container_runtime",)),
    ],
)
def test_where_a_runtimes_setting_stems_from(
    world: World, keys: tuple[str, ...], first: tuple[str, ...]
) -> None:
    found = runtime_origin(world.cluster.config, "worker01", keys)
    assert found[0][1:] == keys and found[1] == first and found[-1] == OWN


@pytest.mark.parametrize(
    ("label", "key"),
    [
        ("archType", (*OWN, "archtype")),
        ("gpuType", (*OWN, "gpu-type")),
        ("gpu", (*OWN, "type")),
        ("nvidia", (*OWN, "vendor")),
        ("worker", ("kubelabels", "worker")),
    ],
)
def test_where_a_label_stems_from(world: World, label: str, key: tuple[str, ...]) -> None:
    assert label_origin(world.cluster.config, world.cluster.nodes[1], label)[0] == key


def test_the_line_is_that_of_the_first_key_that_is_written(world: World) -> None:
    sources = inspect(world.cluster.directory).sources
    rows = CONFIG.splitlines()
    line = next(n for n, row in enumerate(rows, 1) if "worker01" in row)
    column = rows[line - 1].index("type:") + 1
    wanted = (("dns_server",), (*OWN, "type"), OWN)
    assert origin(wanted, sources) == (f"config.yaml:{line}:{column}", "machines.worker01.type")
    assert origin((("dns_server",), OWN), sources) == (f"config.yaml:{line}:3", "machines.worker01")


def test_every_fix_that_is_named_exists(world: World) -> None:
    known = known_of(world, keys=b"ssh-ed25519 AAAA\n")
    named = {thing.fix for name in ("infra01", "worker01") for thing in things(world, known, name)}
    assert {"sshkey", "hosts", "runtime", "network", "labels"} <= named
    assert {name.partition(":")[0] for name in named if name} <= set(FIXES)
