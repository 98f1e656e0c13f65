"""The container runtime's configuration: merged, never overwritten, restarted only on change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dlws import config as configuration
from dlws.config import Config
from dlws.core.connection import Result
from dlws.core.errors import DeployError, UsageError
from dlws.core.version import Version
from dlws.nodes.node import Login, Node
from dlws.prepare import runtime
from dlws.prepare.runtime import ASCEND, CRI, CRI_IMAGES, CRI_RUNTIME, NVIDIA
from dlws.shell import files
from tests.support.invocations import unrecorded
from tests.support.simulated import MARKERS, SimulatedNode

DEBIAN = b"""version = 2

[plugins]
  [plugins."io.containerd.grpc.v1.cri"]
    [plugins."io.containerd.grpc.v1.cri".cni]
      bin_dir = "/usr/lib/cni"
      conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.internal.v1.opt"]
    path = "/var/lib/containerd/opt"
"""


def make(tmp_path: Path, text: str = "", kind: str = "gpu") -> Config:
    vendor = {"gpu": "nvidia", "npu": "huawei"}.get(kind, "")
    (tmp_path / "config.yaml").write_text(
        "cluster_name: test\nnetwork: {domain: example.com}\nkubernetes: {version: 1.20.2}\n"
        "machines:\n  m: {role: infrastructure, private-ip: 192.168.3.2}\n"
        f"  w: {{role: worker, private-ip: 192.168.3.3, type: {kind}, vendor: '{vendor}'}}\n{text}"
    )
    return configuration.load(tmp_path)


class Machine(SimulatedNode):
    """A node whose container runtime has a configuration, and notes when it is started anew."""

    def __init__(self, path: str, content: bytes | None, device: bool = True) -> None:
        default = DEBIAN if path.endswith("toml") else b""
        super().__init__("m", effect=self._restart, device=device, default=default)
        self.path, self.broken_restart = path, False
        if content is not None:
            self.files[path] = (content, 0o600, "root:root")
        self.restarts: list[str] = []

    def _restart(self, node: SimulatedNode, command: str, stdin: bytes) -> Result:
        assert command.startswith("systemctl restart")
        if self.broken_restart:
            return Result(1, b"", b"Job for containerd.service failed")
        self.restarts.append(command)
        self.files = {path: file for path, file in self.files.items() if MARKERS not in path}
        return Result(0)


def node_of(config: Config, machine: Machine, name: str = "w", dry_run: bool = False) -> Node:
    run = unrecorded(dry_run=dry_run)
    return Node(config.machines[name], "192.168.3.3", machine, Login(), run)


def containerd(content: bytes | None, **options: bool) -> Machine:
    return Machine("/etc/containerd/config.toml", content, **options)


def test_device_by_type_and_vendor(tmp_path: Path) -> None:
    assert runtime.device(make(tmp_path, kind="gpu").machines["w"]) is NVIDIA
    assert runtime.device(make(tmp_path, kind="npu").machines["w"]) is ASCEND
    assert runtime.device(make(tmp_path, kind="cpu").machines["w"]) is None
    assert runtime.device(make(tmp_path).machines["m"]) is None


def test_containerd_for_a_gpu_node(tmp_path: Path) -> None:
    config = make(tmp_path)
    old = runtime.parse("containerd", DEBIAN)
    new = runtime.containerd_config(old, runtime.containerd_settings(config, NVIDIA))
    cri = new["plugins"][CRI]
    assert cri["containerd"]["default_runtime_name"] == "nvidia"
    assert cri["containerd"]["runtimes"]["nvidia"]["options"] == {
        "BinaryName": "/usr/bin/nvidia-container-runtime",
        "SystemdCgroup": True,
    }
    assert cri["sandbox_image"] == "k8s.gcr.io/pause:3.2"
    assert cri["cni"] == {"bin_dir": "/opt/cni/bin", "conf_dir": "/etc/cni/net.d"}
    assert new["plugins"]["io.containerd.internal.v1.opt"] == {"path": "/var/lib/containerd/opt"}
    again = runtime.containerd_config(new, runtime.containerd_settings(config, NVIDIA))
    assert again == new


def test_kubelets_cgroup_driver_and_overrides_win(tmp_path: Path) -> None:
    config = make(
        tmp_path,
        "container_runtime: containerd\n"
        "containerd: {plugins: {io.containerd.grpc.v1.cri: {disable_apparmor: true,"
        " cni: {bin_dir: /usr/lib/cni}}}}\n",
    )
    kubernetes = config.kubernetes.model_copy(update={"kubelet": {"cgroupDriver": "cgroupfs"}})
    config = config.model_copy(update={"kubernetes": kubernetes})
    cri = runtime.containerd_settings(config)["plugins"][CRI]
    assert cri["containerd"]["runtimes"]["runc"]["options"] == {"SystemdCgroup": False}
    assert "default_runtime_name" not in cri["containerd"]
    assert cri["disable_apparmor"] is True
    assert cri["cni"]["bin_dir"] == "/usr/lib/cni"
    assert runtime.docker_settings(config)["exec-opts"] == ["native.cgroupdriver=cgroupfs"]


@pytest.mark.parametrize(
    ("version", "image"),
    [
        ("1.18.0", "k8s.gcr.io/pause:3.2"),
        ("1.24.3", "k8s.gcr.io/pause:3.7"),
        ("1.25.0", "registry.k8s.io/pause:3.8"),
        ("1.30.4", "registry.k8s.io/pause:3.9"),
        ("1.37.0", "registry.k8s.io/pause:3.10.1"),
    ],
)
def test_sandbox_image_by_version(tmp_path: Path, version: str, image: str) -> None:
    config = make(tmp_path)
    kubernetes = config.kubernetes.model_copy(update={"version": Version.parse(version)})
    assert runtime.sandbox_image(config.model_copy(update={"kubernetes": kubernetes})) == image


def test_version_3_splits_the_plugin(tmp_path: Path) -> None:
    settings = runtime.containerd_settings(make(tmp_path), NVIDIA)
    settings["plugins"][CRI]["stream_server_port"] = "10010"
    settings["plugins"][CRI]["restrict_oom_score_adj"] = True
    new = runtime.containerd_config({"version": 3}, settings)
    runtime_part, images = new["plugins"][CRI_RUNTIME], new["plugins"][CRI_IMAGES]
    assert new["plugins"][CRI] == {"stream_server_port": "10010"}
    assert images["pinned_images"] == {"sandbox": "k8s.gcr.io/pause:3.2"}
    assert images["registry"] == {"config_path": "/etc/containerd/certs.d"}
    assert runtime_part["containerd"]["default_runtime_name"] == "nvidia"
    assert runtime_part["restrict_oom_score_adj"] is True
    assert "sandbox_image" not in runtime_part
    assert runtime.containerd_config(new, settings) == new


def test_dockers_package_turned_kubernetes_off(tmp_path: Path) -> None:
    new = runtime.containerd_config(
        {"disabled_plugins": ["cri", "restart"]}, runtime.containerd_settings(make(tmp_path))
    )
    assert new["disabled_plugins"] == ["restart"]
    assert new["version"] == 2


def test_what_the_file_says_in_another_way_is_not_said_twice(tmp_path: Path) -> None:
    settings = runtime.containerd_settings(make(tmp_path))
    mirrors = {"mirrors": {"docker.io": {"endpoint": ["http://mirror.example"]}}}
    old = {"version": 2, "plugins": {CRI: {"registry": mirrors}}}
    assert runtime.containerd_config(old, settings)["plugins"][CRI]["registry"] == mirrors
    old = {"version": 2, "plugins": {CRI: {"registry": {"config_path": "/a:/b"}}}}
    registry = runtime.containerd_config(old, settings)["plugins"][CRI]["registry"]
    assert registry == {"config_path": "/a:/b"}
    old = {"version": 3, "plugins": {CRI_RUNTIME: {"cni": {"bin_dirs": ["/x"]}}}}
    cni = runtime.containerd_config(old, settings)["plugins"][CRI_RUNTIME]["cni"]
    assert cni == {"bin_dirs": ["/x"], "conf_dir": "/etc/cni/net.d"}


def test_docker_keeps_other_options(tmp_path: Path) -> None:
    config = make(tmp_path, "docker_daemon: {insecure-registries: ['10.77.0.1:5000']}\n")
    old = {
        "exec-opts": ["native.umask=normal", "native.cgroupdriver=cgroupfs"],
        "data-root": "/data/docker",
        "runtimes": {"kata": {"path": "/usr/bin/kata"}},
    }
    new = runtime.docker_config(old, runtime.docker_settings(config, ASCEND))
    assert new["exec-opts"] == ["native.umask=normal", "native.cgroupdriver=systemd"]
    assert new["data-root"] == "/data/docker"
    assert new["default-runtime"] == "ascend"
    assert set(new["runtimes"]) == {"kata", "ascend"}
    assert new["insecure-registries"] == ["10.77.0.1:5000"]
    assert runtime.docker_config(new, runtime.docker_settings(config, ASCEND)) == new


def test_configure_writes_once_and_restarts_once(tmp_path: Path) -> None:
    machine = containerd(DEBIAN)
    config = make(tmp_path, "container_runtime: containerd\n")
    assert runtime.configure(node_of(config, machine), config)
    assert len(machine.restarts) == 1
    assert "systemctl restart containerd" in machine.restarts[0]
    assert machine.contents["/etc/containerd/config.toml.dlws-before"] == DEBIAN
    written = runtime.parse("containerd", machine.contents["/etc/containerd/config.toml"])
    assert written["plugins"][CRI]["containerd"]["default_runtime_name"] == "nvidia"
    assert not runtime.configure(node_of(config, machine), config)
    assert len(machine.restarts) == 1


def test_configure_without_a_file_starts_from_the_default(tmp_path: Path) -> None:
    machine = containerd(None)
    config = make(tmp_path, "container_runtime: containerd\n")
    assert runtime.configure(node_of(config, machine, "m"), config)
    written = runtime.parse("containerd", machine.contents["/etc/containerd/config.toml"])
    assert written["plugins"]["io.containerd.internal.v1.opt"]
    assert "/etc/containerd/config.toml.dlws-before" not in machine.contents


def test_an_interrupted_restart_is_made_up_for(tmp_path: Path) -> None:
    machine = containerd(DEBIAN)
    config = make(tmp_path, "container_runtime: containerd\n")
    machine.broken_restart = True
    with pytest.raises(DeployError, match="restart containerd"):
        runtime.configure(node_of(config, machine), config)
    machine.broken_restart = False
    assert runtime.configure(node_of(config, machine), config)
    assert len(machine.restarts) == 1
    assert not runtime.configure(node_of(config, machine), config)


def test_a_node_without_its_device_runtime_still_runs_containers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = containerd(DEBIAN, device=False)
    config = make(tmp_path, "container_runtime: containerd\n")
    runtime.configure(node_of(config, machine), config)
    written = runtime.parse("containerd", machine.contents["/etc/containerd/config.toml"])
    assert "nvidia" not in str(written)
    assert "containers get no GPUs" in capsys.readouterr().err


def test_stand_ins_need_no_device_runtime(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    machine = containerd(DEBIAN, device=False)
    machine.stand_ins = True
    config = make(tmp_path, "container_runtime: containerd\n")
    runtime.configure(node_of(config, machine), config)
    assert "containers get no GPUs" not in capsys.readouterr().err


def test_dry_run_changes_nothing(tmp_path: Path) -> None:
    machine = containerd(DEBIAN)
    config = make(tmp_path, "container_runtime: containerd\n")
    assert runtime.configure(node_of(config, machine, dry_run=True), config)
    assert machine.contents == {"/etc/containerd/config.toml": DEBIAN}
    assert machine.restarts == []


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("docker", b"{"),
        ("docker", b"[1]"),
        ("docker", b"\xff\xfe"),
        ("docker", b"[" * 100_000),
        ("docker", b'{"exec-opts": "native.cgroupdriver=systemd"}'),
        ("containerd", b"version = "),
        ("containerd", b"\xff"),
        ("containerd", b'version = 1\n[plugins.cri]\nsandbox_image = "x"\n'),
        ("containerd", b'[plugins.cri]\nsandbox_image = "x"\n'),
    ],
)
def test_a_broken_file_is_named_and_left(tmp_path: Path, kind: str, content: bytes) -> None:
    machine = Machine(runtime.PATHS[kind], content)
    config = make(tmp_path, f"container_runtime: {kind}\n")
    with pytest.raises(DeployError, match="nothing was changed") as caught:
        runtime.configure(node_of(config, machine), config)
    assert runtime.PATHS[kind] in caught.value.message
    assert "on w" in caught.value.message
    assert caught.value.cure
    assert machine.contents == {machine.path: content}
    assert machine.restarts == []


def test_odd_but_readable_files(tmp_path: Path) -> None:
    settings = runtime.containerd_settings(make(tmp_path))
    for old in ({"version": 2, "plugins": {CRI: "x"}}, {"version": 2, "plugins": 5}, {}):
        assert runtime.containerd_config(old, settings)["plugins"][CRI]["sandbox_image"]
    assert runtime.parse("docker", b" \n") == {}


def test_a_runtime_that_is_not_installed(tmp_path: Path) -> None:
    machine = containerd(None)
    machine.installed = False
    config = make(tmp_path, "container_runtime: containerd\n")
    with pytest.raises(DeployError, match="containerd is not installed on w") as caught:
        runtime.configure(node_of(config, machine), config)
    assert "prepare_ubuntu.sh" in caught.value.cure


def test_a_value_that_the_file_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"containerd in config\.yaml"):
        runtime.format("containerd", {"a": None})
    with pytest.raises(UsageError, match="docker_daemon"):
        runtime.format("docker", {"a": files})


AWKWARD = "a b $(touch x) ' \" ; \n 中文 \\"


@pytest.mark.parametrize("kind", ["containerd", "docker"])
def test_awkward_values_come_back_as_they_went(kind: str) -> None:
    tree = {AWKWARD: {"list": [AWKWARD, 1, True]}}
    assert runtime.parse(kind, runtime.format(kind, tree)) == tree


def test_json_is_readable() -> None:
    assert json.loads(runtime.format("docker", {"ü": 1})) == {"ü": 1}
    assert "ü".encode() in runtime.format("docker", {"ü": 1})


@pytest.mark.parametrize(
    "answer",
    ["", "present=yes\n\n", "present=yes\nmode=9\ndevice=no\nkept=no\nrestart=no\n\n", "x\n\n"],
)
def test_an_answer_that_is_none(answer: str) -> None:
    with pytest.raises(DeployError, match="on w cannot be read"):
        runtime.parse_present("docker", "w", Result(0, answer.encode()))


@pytest.mark.parametrize(
    ("kind", "text"),
    [("docker", '{"a":' * 60 + "1" + "}" * 60), ("containerd", f"x.{'a.' * 60}a = 1")],
)
def test_tables_that_are_nested_without_measure(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match="more than 50 deep"):
        runtime.parse(kind, text.encode())


def test_our_mirror_of_docker_hub_comes_before_others(tmp_path: Path) -> None:
    line = "registry: {node: m, mirror: [quay.io, docker.io]}\ncontainer_runtime: docker\n"
    config = make(tmp_path, line)
    settings = runtime.docker_settings(config)
    assert len(settings["registry-mirrors"]) == 1  # Docker has mirrors of Docker Hub alone
    (ours,) = settings["registry-mirrors"]
    assert ours == "https://192.168.3.2:5445"
    new = runtime.docker_config({"registry-mirrors": ["https://theirs.example"]}, settings)
    assert new["registry-mirrors"] == [ours, "https://theirs.example"]
    assert runtime.docker_config(new, settings) == new
    assert "registry-mirrors" not in runtime.docker_settings(make(tmp_path, ""))
