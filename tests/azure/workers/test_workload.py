"""What pods ask for, which of them are work, and which wait for a place."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from dlws.azure.workers import workload


def pod(**more: Any) -> dict[str, Any]:
    meta = {"name": "p", "namespace": "vc-a", **more.pop("meta", {})}
    spec = {"containers": [{"resources": more.pop("resources", {})}], **more.pop("spec", {})}
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    return {"metadata": meta, "spec": spec,
            "status": {"phase": "Pending", "conditions": [unplaced], **more}}  # fmt: skip


@pytest.mark.parametrize(("text", "number"), [
    ("4", 4), ("500m", 0.5), ("1.5", 1.5), ("2Gi", 2 * 2**30), ("3M", 3e6), ("", 0), ("x", 0),
])  # fmt: skip
def test_quantities(text: str, number: float) -> None:
    assert workload.quantity(text) == number


def test_what_a_pod_asks_for() -> None:
    one = {"limits": {"nvidia.com/gpu": 2}, "requests": {"cpu": "1500m", "memory": "2Gi"}}
    assert workload.asked(pod(resources=one)) == (1500, 2048, 2)
    first = {"initContainers": [{"resources": {"requests": {"cpu": "3"}}}]}
    assert workload.asked(pod(resources=one, spec=first)) == (3000, 2048, 2)
    assert workload.asked({"metadata": {}, "spec": {}}) == (0, 0, 0)


def _node(key: str, kind: str = "matchFields") -> dict[str, Any]:
    terms = [{kind: [{"key": key, "operator": "In", "values": ["n"]}]}]
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"affinity": {"nodeAffinity": rule}}


@pytest.mark.parametrize(("given", "expected"), [
    (pod(), True),
    (pod(conditions=[]), False),
    (pod(spec={"nodeName": "n"}), False),
    (pod(meta={"deletionTimestamp": "now"}), False),
    (pod(spec=_node("metadata.name")), False),
    (pod(spec=_node("kubernetes.io/hostname", "matchExpressions")), False),
    (pod(spec=_node("gpuType", "matchExpressions")), True),
    (pod(spec={"nodeSelector": {"kubernetes.io/hostname": "n"}}), False),
])  # fmt: skip
def test_which_pods_another_worker_would_help(given: dict[str, Any], expected: bool) -> None:
    assert workload.waits(given) is expected


@pytest.mark.parametrize(("given", "expected"), [
    (pod(phase="Running"), True),
    (pod(phase="Unknown"), True),
    (pod(phase="Succeeded"), False),
    (pod(phase="Running", meta={"ownerReferences": [{"kind": "DaemonSet"}]}), False),
    (pod(phase="Running", meta={"ownerReferences": [{"kind": "ReplicaSet"}]}), True),
    (pod(phase="Running", meta={"namespace": "kube-system"}), False),
    (pod(phase="Running", meta={"annotations": {"kubernetes.io/config.mirror": "x"}}), False),
])  # fmt: skip
def test_which_pods_are_work(given: dict[str, Any], expected: bool) -> None:
    assert workload.is_work(given) is expected


def test_pods_by_node() -> None:
    here = pod(spec={"nodeName": "n"})
    assert workload.by_node([here, pod(phase="Failed"), pod()]) == {"n": [here], "": [pod()]}


def test_what_jobs_of_the_platform_ask_for() -> None:
    new = {"name": "j", "cpu_millis": 500, "memory_mib": 64, "devices": 2, "workers": 2}
    assert workload.of_job(json.dumps(new)) == [(500, 64, 2)] * 2
    older = {"jobName": "j", "jobtrainingtype": "PSDistJob", "numpsworker": 3, "resourcegpu": 4,
             "cpurequest": "500m", "memoryrequest": "2Gi"}  # fmt: skip
    packed = base64.b64encode(json.dumps(older).encode()).decode()
    assert workload.of_job(packed) == [(500, 2048, 4)] * 3
    for wrong in ("", "W10=", "{", "?"):
        with pytest.raises(ValueError):
            workload.of_job(wrong)
