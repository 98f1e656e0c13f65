"""Labels of 500 nodes, both architectures, on a real API server, which counts what it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlws.kubernetes import labels
from dlws.nodes.node import Node
from tests.support import apiserver
from tests.support.apiserver import ADDRESS, ApiServer
from tests.support.deploy import Deploy
from tests.support.fakes import World

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
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    place = tmp_path_factory.mktemp("labels")
    (place / "config.yaml").write_text(ONE)
    Deploy(place)("bundle", "build", "--from", "debian")
    (place / "server").mkdir()
    with apiserver.serving(place / "deploy/bundle/amd64", place / "server") as found:
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
