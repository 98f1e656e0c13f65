"""Objects as an API server lists them, by path, and the same with a part of theirs replaced."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from dlws.kubernetes.objects import MANAGER
from tests.support.kubeobjects import field_set

Json = dict[str, Any]
ODD: tuple[Any, ...] = (
       None, 0, -1, 1.5, True, "", "x", "True", [], [1], [None], [[]], {}, {"a": 1}, {"name": 3},
       [{}], [{"type": "Ready"}], [{"name": "x", "uid": []}], "9" * 50)  # fmt: skip
META = {
    "name": "web",
    "namespace": "default",
    "uid": "u",
    "generation": 2,
    "labels": {"dlws.io/service": "shop"},
    "annotations": {"dlws.io/hash": "h"},
    "ownerReferences": [{"name": "web", "uid": "o"}],
    "managedFields": [{"manager": MANAGER, "operation": "Apply", "fieldsV1": field_set({"a": 1})}],
}
ENDED = {"exitCode": 1, "signal": 9, "reason": "OOMKilled"}
POD: Json = {
    "metadata": META,
    "spec": {
        "nodeName": "w",
        "nodeSelector": {"gpu": "active"},
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [
                {"key": "a", "operator": "In", "values": ["b"]}]}]}}},
        "containers": [{"name": "c", "image": "i"}],
    },
    "status": {
        "phase": "Pending",
        "hostIP": "10.0.0.1",
        "conditions": [{"type": "PodScheduled", "status": "False", "message": "selector"}],
        "containerStatuses": [{"name": "c", "ready": False, "restartCount": 1, "state": {
            "waiting": {"reason": "ErrImagePull", "message": "m"}},
            "lastState": {"terminated": ENDED}}],
    },
}  # fmt: skip
COUNTS = dict.fromkeys(
    ("replicas", "updatedReplicas", "availableReplicas", "readyReplicas", "observedGeneration",
     "desiredNumberScheduled", "numberAvailable"), 2)  # fmt: skip
WORKLOAD: Json = {
    "metadata": META,
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "i"}]}}},
    "status": {**COUNTS, "conditions": [{"type": "Complete", "status": "False", "message": "m"}]},
}
SERVICE: Json = {"metadata": META, "spec": {"ports": [{"nodePort": 30000}]}}
LISTED: Json = {"metadata": {**META, "name": "dlws-service-shop", "namespace": "kube-system"},
                "data": {"objects": "apps/v1 Deployment deployments default web\n"}}  # fmt: skip
EVENT: Json = {"metadata": META, "type": "Warning", "message": "m", "lastTimestamp": None}
SERVED: Json = {"resources": [{"name": "mice", "kind": "Mouse", "namespaced": True}]}
GOOD = {
    "/api/v1/pods": POD,
    "/apis/apps/v1/deployments": WORKLOAD,
    "/apis/apps/v1/daemonsets": WORKLOAD,
    "/apis/apps/v1/statefulsets": WORKLOAD,
    "/apis/batch/v1/jobs": WORKLOAD,
    "/apis/e.org/v1/mice": WORKLOAD,
    "/api/v1/services": SERVICE,
    "/api/v1/configmaps": LISTED,
    "/api/v1/namespaces/default/events": EVENT,
}


def places(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    pairs = value.items() if isinstance(value, dict) else ()
    for key, item in enumerate(value) if isinstance(value, list) else pairs:
        yield from places(item, (*way, key))


def replaced(value: Json, way: tuple[Any, ...], odd: Any) -> Any:
    if not way:
        return odd
    made = copy.deepcopy(value)
    inner: Any = made
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = odd
    return made
