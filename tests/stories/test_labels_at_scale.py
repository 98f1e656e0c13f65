"""Labels of 500 nodes, both architectures, on a real API server, which counts what it is asked; and
where its scheduler places pods that are for one architecture."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlws.kubernetes import labels
from dlws.nodes.node import Node
from dlws.services.folder import load_all
from dlws.services.values import Templates
from tests.support import apiserver
from tests.support.apiserver import ADDRESS, ApiServer
from tests.support.deploy import Deploy
from tests.support.fakes import World
from tests.support.waiting import wait_until

pytestmark = pytest.mark.cluster
NODES, MASTERS = 500, 3
ONE = """cluster_name: one
machines: {i0: {role: infrastructure, private-ip: 127.9.0.1}}
kubernetes: {version: v1.20.2, source: bundle}
"""
BARE = "w7"
"""A node that has no labels at all, as one that somebody made by hand."""
ON_ARM = 100
"""So many workers have NPUs and are arm64; the others have GPUs and are amd64."""


def config(port: int) -> str:
    rows = [f"  i{number}: {{role: infrastructure, private-ip: {ADDRESS[:-1]}{number + 1}}}"
            for number in range(MASTERS)]  # fmt: skip
    for number in range(NODES - MASTERS):
        kind = ("arm64", "npu", "huawei") if number < ON_ARM else ("amd64", "gpu", "nvidia")
        what = "archtype: {}, type: {}, vendor: {}".format(*kind)
        address = f"127.8.{number // 200}.{number % 200 + 1}"
        rows.append(f"  w{number}: {{role: worker, private-ip: {address}, {what}}}")
    head = f"cluster_name: large\nk8sAPIport: {port}\nmachines:\n"
    return head + "\n".join(rows) + "\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("labels")
    (place / "config.yaml").write_text(ONE)
    Deploy(place)("bundle", "build", "--from", "debian")
    return place / "deploy/bundle/amd64"


@pytest.fixture(scope="module")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with apiserver.serving(bundle, tmp_path_factory.mktemp("server")) as found:
        names = [f"i{n}" for n in range(MASTERS)] + [f"w{n}" for n in range(NODES - MASTERS)]
        for name in names:
            about = {"name": name, "labels": {"kubernetes.io/hostname": name}}
            if name == BARE:
                del about["labels"]
            found("/api/v1/nodes", {"apiVersion": "v1", "kind": "Node", "metadata": about})
        yield found


@pytest.fixture
def world(make: Callable[..., World], server: ApiServer, tmp_path: Path) -> World:
    (tmp_path / "deploy/sshkey").mkdir(parents=True)
    (tmp_path / "deploy/sshkey/admin.conf").write_text(server.admin_conf)
    return make(config(server.port))


def patches(server: ApiServer, world: World, wanted: Callable[[Node], labels.Wanted]) -> int:
    """How many patches it takes; the nodes are listed once."""
    before = server.asked("patch", "nodes"), server.asked("list", "nodes")
    labels.apply(world.cluster, wanted)
    assert server.asked("list", "nodes") == before[1] + 1
    return server.asked("patch", "nodes") - before[0]


def carrying(server: ApiServer, label: str) -> int:
    return len(server(f"/api/v1/nodes?labelSelector={label}")["items"])


def test_a_node_that_differs_costs_one_patch_and_any_other_none(
    server: ApiServer, world: World
) -> None:
    config = world.cluster.config
    services = labels.for_services(config, "active", ())
    assert patches(server, world, services) == NODES
    assert carrying(server, "worker%3Dactive") == NODES - MASTERS
    assert patches(server, world, services) == 0
    off = labels.for_services(config, "inactive", ["mysql"])
    assert patches(server, world, off) == 1
    assert patches(server, world, services) == 1


def test_labels_tell_architectures_and_devices_apart(server: ApiServer, world: World) -> None:
    def of_workers(node: Node) -> labels.Wanted:
        return labels.worker_labels(node.machine)

    assert patches(server, world, of_workers) == NODES
    assert patches(server, world, of_workers) == 0
    counts = {label: carrying(server, label.replace("=", "%3D")) for label in (
        "archType=arm64", "archType=amd64", "gpuType=huawei_npu_arm64", "gpuType=nvidia_gpu_amd64",
        "node-restriction.kubernetes.io/npu=active",
    )}  # fmt: skip
    assert counts == {
        "archType=arm64": ON_ARM, "archType=amd64": NODES - ON_ARM,
        "gpuType=huawei_npu_arm64": ON_ARM, "gpuType=nvidia_gpu_amd64": NODES - ON_ARM - MASTERS,
        "node-restriction.kubernetes.io/npu=active": ON_ARM,
    }  # fmt: skip


DEVICES = """{% for one in architectures %}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: devices-{{ one }}}
spec:
  selector: {matchLabels: {app: devices, for: "{{ one }}"}}
  template:
    metadata: {labels: {app: devices, for: "{{ one }}"}}
    spec:
      nodeSelector: {kubernetes.io/arch: "{{ one }}"}
      automountServiceAccountToken: false
      containers: [{name: devices, image: "registry.example.org/devices:1-{{ one }}"}]
{% endfor %}
"""
ROOM = {"cpu": "8", "memory": "16Gi", "pods": "110"}


def add_node(server: ApiServer, name: str, architecture: str) -> None:
    """A node as its kubelet would report it; a new one has a taint until that says it is ready."""
    about = {"kubernetes.io/arch": architecture, "kubernetes.io/os": "linux"}
    made = server("/api/v1/nodes", {
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": about},
        "status": {"capacity": ROOM, "allocatable": ROOM},
    })  # fmt: skip
    del made["spec"]["taints"]
    server(f"/api/v1/nodes/{name}", made, "PUT")


def test_pods_for_an_architecture_are_placed_on_nodes_of_it(
    server: ApiServer, world: World, bundle: Path, tmp_path: Path
) -> None:
    kinds = {"of-arm-1": "arm64", "of-arm-2": "arm64", "of-amd-1": "amd64"}
    for name, architecture in kinds.items():
        add_node(server, name, architecture)
    folder = tmp_path / "templates/services/devices"
    folder.mkdir(parents=True)
    (folder / "devices.yaml.j2").write_text(DEVICES)
    (folder / "service.yaml").write_text("namespace: kube-system\n")
    services, templates = load_all(tmp_path), Templates(world.cluster)
    place = "/apis/apps/v1/namespaces/kube-system/daemonsets"
    for name in ("devices", "flexvolume"):  # the second is for amd64 alone
        for one in templates.objects(services[name]):
            server(place, one.body)

    def placed() -> set[tuple[str, str, str]]:
        """The app of each pod, the architecture that it is for, and its node."""
        pods = server("/api/v1/namespaces/kube-system/pods")["items"]
        return {
            (labels["app"], labels.get("for", "amd64"), pod["spec"].get("nodeName", ""))
            for pod in pods
            for labels in [pod["metadata"]["labels"]]
        }

    wanted = {("devices", architecture, name) for name, architecture in kinds.items()}
    wanted.add(("flexvolume", "amd64", "of-amd-1"))
    with apiserver.placing(bundle, server):
        wait_until(lambda: placed() == wanted, 120)
