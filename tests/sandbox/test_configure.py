"""The config.yaml that a sandbox gets is one that the tool takes without a complaint."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import yaml

from dlws.config import load
from dlws.config.mounts import mounts_of
from dlws.config.volumes import volumes
from dlws.database.users import administrators
from dlws.images import names
from dlws.sandbox import configure, plan
from dlws.sandbox.state import Sandbox, SandboxNode

BOX = Sandbox(
    "abc123",
    "/x",
    "10.77.4.0/24",
    plan.DOMAIN,
    "bookworm",
    nodes=(SandboxNode("infra1", "infrastructure", 0), SandboxNode("worker1", "worker", 1)),
)

THEIRS: dict[str, Any] = {
    "cluster_name": "atlas",
    "network": {"domain": "example.org", "container-network-iprange": "10.0.0.0/8"},
    "admin_username": "admin",
    "ssh": {"port": 2222, "jump_host": "gate", "retries": 5},
    "kubernetes": {"version": "v1.18.0", "kubelet": {"maxPods": 200}},
    "apt_mirror_url": "http://mirror.example.org",
    "machines": {
        "infra1": {"role": "infrastructure", "private-ip": "192.0.2.1", "archtype": "arm64"}
    },
    "scale_up": {
        "worker1": {"role": "worker", "type": "npu", "vendor": "huawei", "port": 22022},
    },
}


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "config.yaml").write_text(text)
    return tmp_path


def give_password(directory: Path) -> None:
    """The database's, which the generated configuration names."""
    file = directory / configure.PASSWORD
    file.parent.mkdir(parents=True)
    file.write_text("secret\n")
    file.chmod(0o600)


def test_generated_configuration_loads_strictly(tmp_path: Path) -> None:
    give_password(tmp_path)
    config = load(written(tmp_path, configure.generated(BOX)), strict=True)
    assert {name: one.private_ip for name, one in config.machines.items()} == {
        "infra1": "10.77.4.11",
        "worker1": "10.77.4.12",
    }
    assert config.kubernetes.source == "bundle"
    assert config.kubernetes.kubelet["failSwapOn"] is False
    assert config.kubernetes.kube_proxy["conntrack"] == {"maxPerCore": 0}
    assert "all" not in config.kubernetes.ignore_preflight_errors
    plugins = config.containerd["plugins"]["io.containerd.grpc.v1.cri"]
    assert plugins["restrict_oom_score_adj"] is True and plugins["disable_apparmor"] is True
    assert config.docker_daemon["default-runtime"] in config.docker_daemon["runtimes"]


def test_it_lists_the_job_platform_and_names_its_first_administrator(tmp_path: Path) -> None:
    give_password(tmp_path)
    config = load(written(tmp_path, configure.generated(BOX)), strict=True)
    assert {"restfulapi2", "jobmanager2", "webui3", "nginx"} <= set(config.services)
    assert administrators(config) == [f"admin@{BOX.domain}"]


def test_its_default_share_is_one_file_system_on_all_nodes(tmp_path: Path) -> None:
    give_password(tmp_path)
    config = load(written(tmp_path, configure.generated(BOX)), strict=True)
    (volume,) = volumes(config, {})
    assert volume.bricks == {"infra1": "10.77.4.11", "worker1": "10.77.4.12"}
    for machine in config.machines.values():
        (mount,) = mounts_of(config, machine, {})
        assert (mount.type, mount.stands_for) == ("glusterfs", "")
        assert ("/dlwsdata/jobfiles", "/mntdlws/share/jobfiles") in mount.links


def test_a_node_alone_has_a_directory_of_its_own_for_it(tmp_path: Path) -> None:
    give_password(tmp_path)
    alone = replace(BOX, nodes=BOX.nodes[:1])
    config = load(written(tmp_path, configure.generated(alone)), strict=True)
    (mount,) = mounts_of(config, config.machines["infra1"], {})
    assert (mount.what, mount.file_system) == ("/srv/share", "none")


def test_a_rehearsal_stands_in_for_their_shares(tmp_path: Path) -> None:
    share = {"type": "nfs", "server": "infra1", "filesharename": "/d"}
    text = configure.rehearsed({**THEIRS, "mountpoints": {"s": share}}, BOX)
    config = load(written(tmp_path, text))
    (mount,) = mounts_of(config, config.machines["worker1"], {})
    assert (mount.what, mount.stands_for) == (f"{configure.SHARES}/nfs/infra1/d", "infra1:/d")


@pytest.mark.parametrize(
    ("theirs", "runtime"),
    [
        ({"kubernetes": {"version": "v1.18.0"}}, "docker"),
        ({"kubernetes": {}, "k8s-gitbranch": "v1.18.0"}, "docker"),
        ({"kubernetes": {"version": "v1.30.1"}}, "containerd"),
        ({"kubernetes": {"version": "v1.18.0"}, "container_runtime": "containerd"}, "containerd"),
        ({"kubernetes": {}, "container_runtime": "docker"}, "docker"),
        ({"kubernetes": {"version": "what?"}}, "containerd"),
    ],
)
def test_a_rehearsal_has_the_runtime_that_the_real_one_would(
    tmp_path: Path, theirs: dict[str, Any], runtime: str
) -> None:
    config = load(written(tmp_path, configure.rehearsed({**THEIRS, **theirs}, BOX)))
    assert (config.runtime, str(config.kubernetes.version)) == (runtime, "1.20.2")


def test_rehearsed_configuration_keeps_names_roles_and_what_is_theirs(tmp_path: Path) -> None:
    config = load(written(tmp_path, configure.rehearsed(THEIRS, BOX)), strict=True)
    infra, worker = config.machines["infra1"], config.machines["worker1"]
    assert (infra.private_ip, worker.private_ip) == ("10.77.4.11", "10.77.4.12")
    assert (infra.roles, worker.type, worker.vendor) == (("infrastructure",), "npu", "huawei")
    assert config.domain == "example.org"
    assert config.kubernetes.kubelet["maxPods"] == 200
    assert config.kubernetes.kubelet["cgroupDriver"] == "cgroupfs"


def test_rehearsed_nodes_are_reached_as_sandbox_nodes_are(tmp_path: Path) -> None:
    config = load(written(tmp_path, configure.rehearsed(THEIRS, BOX)))
    assert config.ssh.port == 22 and not config.ssh.jump_host and config.ssh.retries == 5
    assert config.machines["worker1"].port is None
    assert config.machines["infra1"].archtype == configure.local_architecture()
    assert not config.apt_mirror_url
    assert config.network.container_network_iprange == ""


def test_a_rehearsals_images_go_to_its_own_registry(tmp_path: Path) -> None:
    dockers = {"hub": "apulistech/", "tag": "1.9", "system": {"web": {}}}
    theirs = {**THEIRS, "dockerregistry": "apulistech/", "dockers": dockers}
    config = load(written(tmp_path, configure.rehearsed(theirs, BOX)))
    assert names.reference(config, "web") == "10.77.4.11:5443/web:1.9"


def test_rehearsal_leaves_what_it_was_given_alone() -> None:
    theirs = deepcopy(THEIRS)
    theirs["ssh"] |= {"port": 2222, "jump_host": "gate"}
    before = yaml.safe_dump(theirs)
    configure.rehearsed(theirs, BOX)
    assert yaml.safe_dump(theirs) == before


@pytest.mark.parametrize("name", ["on", "no", "1", "1e3", "null", "0x1f", "node", "a-b.c"])
def test_names_stay_text_in_yaml(name: str) -> None:
    box = replace(BOX, nodes=(SandboxNode(name, "worker", 0),))
    parsed = yaml.safe_load(f"machines:\n{configure.machines(box, box.nodes)}")
    assert list(parsed["machines"]) == [name]


def test_ranges_are_found_wherever_they_stand() -> None:
    config = {
        "a": {"b": "10.1.0.0/16"},
        "c": ["192.0.2.1/24", "/tmp/x", "http://a/b", 3],
        "d": "0.0.0.0/0",
    }
    assert configure.ranges(config) == [IPv4Network("10.1.0.0/16"), IPv4Network("192.0.2.0/24")]
