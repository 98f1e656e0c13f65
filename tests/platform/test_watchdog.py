"""The state of Kubernetes, as Prometheus is told it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from jobplatform import __main__ as roles
from jobplatform.exporter.watch import Watchdog
from tests.support import ROOT
from tests.support.platform.kubernetes import FakeKubernetes, node


def told(kubernetes: FakeKubernetes) -> list[str]:
    made = CollectorRegistry()
    made.register(Watchdog(kubernetes))
    return generate_latest(made).decode().splitlines()


def put(cluster: FakeKubernetes, name: str, space: str, phase: str, **more: Any) -> None:
    made = {"metadata": {"name": name, "namespace": space, "labels": more.pop("labels", {})},
            "spec": {"nodeName": "n1", "containers": [{"resources": more}]},
            "status": {"phase": phase}}  # fmt: skip
    cluster.objects["pods", space, name] = made


def devices(count: int) -> dict[str, dict[str, str]]:
    return {"limits": {"nvidia.com/gpu": str(count)}}


@pytest.fixture
def cluster() -> FakeKubernetes:
    """Two nodes with devices, one of which is cordoned, and one that is not Ready."""
    made = FakeKubernetes()
    for name in ("n1", "n2"):
        made.nodes[name] = node(name, 8, "nvidia.com/gpu")
        made.nodes[name]["status"]["capacity"] = {"nvidia.com/gpu": "9"}
    made.nodes["n2"]["spec"]["unschedulable"] = True
    made.nodes["n3"] = node("n3", 0)
    made.nodes["n3"]["status"]["conditions"][0]["status"] = "Unknown"
    put(made, "a", "vc-a", "Running", **devices(3))
    put(made, "b", "vc-a", "Pending", **devices(1))
    put(made, "c", "vc-a", "Succeeded", **devices(4))
    return made


def test_nodes_devices_and_pods_are_counted(cluster: FakeKubernetes) -> None:
    found = told(cluster)
    for line in (
        'k8s_node_count{ready="true",unschedulable="false"} 1.0',
        'k8s_node_count{ready="true",unschedulable="true"} 1.0',
        'k8s_node_count{ready="false",unschedulable="false"} 1.0',
        'k8s_node_ready{node_name="n3"} 0.0',
        'k8s_node_gpu_total{node_name="n1",resource="nvidia.com/gpu"} 9.0',
        'k8s_node_gpu_allocatable{node_name="n1",resource="nvidia.com/gpu"} 8.0',
        'k8s_node_gpu_available{node_name="n1",resource="nvidia.com/gpu"} 4.0',
        'k8s_node_gpu_available{node_name="n2",resource="nvidia.com/gpu"} 0.0',
        'k8s_pod_count{namespace="vc-a",phase="Running"} 1.0',
        "dlws_kubernetes_answers 1.0",
    ):
        assert found.count(line) == 1, line
    assert not any('"n3",resource' in line for line in found)


def test_parts_of_the_control_plane_are_told_and_no_pod_that_only_says_it_is_one(
    cluster: FakeKubernetes,
) -> None:
    labels = {"tier": "control-plane", "component": "etcd"}
    put(cluster, "etcd-n1", "kube-system", "Running", labels=labels)
    put(cluster, "etcd-x", "vc-a", "Running", labels=labels)
    assert [line for line in told(cluster) if line.startswith("k8s_component_ready")] == [
        'k8s_component_ready{component="etcd",node_name="n1"} 0.0'
    ]
    etcd = cluster.objects["pods", "kube-system", "etcd-n1"]
    etcd["status"]["conditions"] = [{"type": "Ready", "status": "True"}]
    assert 'k8s_component_ready{component="etcd",node_name="n1"} 1.0' in told(cluster)


def test_where_nothing_answers_no_number_is_made_up(cluster: FakeKubernetes) -> None:
    cluster.away = True
    assert [line for line in told(cluster) if not line.startswith("#")] == [
        "dlws_kubernetes_answers 0.0"
    ]


def test_what_rules_ask_for_is_told(cluster: FakeKubernetes) -> None:
    text = (ROOT / "templates/services/prometheus/files/nodes.rules").read_text()
    asked = set(re.findall(r"\bk8s_[a-z_]+", text))
    known = {line.split()[2] for line in told(cluster) if line.startswith("# TYPE")}
    assert asked and asked <= known


def test_the_role_has_to_be_told_its_port(capsys: pytest.CaptureFixture[str]) -> None:
    assert roles.main(["watchdog"]) == 1
    assert "PLATFORM_METRICS_PORT" in capsys.readouterr().err
