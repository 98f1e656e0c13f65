"""What pods ask for and where they are: work that waits, and nodes without any."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

Json = Mapping[str, Any]
_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti|)")
_SIZES = {"": 1, "m": 0.001, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
          "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # fmt: skip
_DEVICES = ("nvidia.com/gpu", "amd.com/gpu", "huawei.com/", "npu.huawei.com/", "dlws.io/fake")
_MIRROR = "kubernetes.io/config.mirror"


def quantity(text: object) -> float:
    """A quantity of Kubernetes as a number; 0 where it is none."""
    found = _AMOUNT.fullmatch(str(text))
    return float(found[1]) * _SIZES[found[2]] if found else 0.0


def amount(resources: Json) -> tuple[int, int, int]:
    """Millicores, MiB and devices in a set of resources."""
    devices = sum(quantity(has) for name, has in resources.items() if name.startswith(_DEVICES))
    memory = quantity(resources.get("memory", 0)) / 2**20
    return round(quantity(resources.get("cpu", 0)) * 1000), int(memory), int(devices)


def asked(pod: Json) -> tuple[int, int, int]:
    """What a pod asks of its node: its containers together, or the largest of those before them."""
    spec = pod.get("spec") or {}
    together = [_requests(one) for one in spec.get("containers") or ()]
    first = [_requests(one) for one in spec.get("initContainers") or ()]
    summed = [sum(column) for column in zip(*together, strict=True)] or [0, 0, 0]
    cpu, memory, devices = (max(values) for values in zip(summed, *first, strict=True))
    return cpu, memory, devices


def _requests(container: Json) -> tuple[int, int, int]:
    about = container.get("resources") or {}
    return amount({**(about.get("limits") or {}), **(about.get("requests") or {})})


def of_job(text: str) -> list[tuple[int, int, int]]:
    """What each worker of a job of the platform asks for; ValueError where nobody can read it.

    Its parameters are JSON, or base64 of what the older platform kept.
    """
    plain = text if text.lstrip().startswith("{") else base64.b64decode(text, validate=True)
    found = json.loads(plain)
    if not isinstance(found, dict):
        raise ValueError("no parameters of a job")
    if "jobName" not in found:
        one = (found.get("cpu_millis", 0), found.get("memory_mib", 0), found.get("devices", 0))
        return [one] * int(found.get("workers", 1))
    older = {"cpu": found.get("cpurequest"), "memory": found.get("memoryrequest"),
             "nvidia.com/gpu": found.get("resourcegpu")}  # fmt: skip
    several = found.get("jobtrainingtype") == "PSDistJob"
    return [amount(older)] * int(found.get("numpsworker", 1) if several else 1)


def is_active(pod: Json) -> bool:
    """Whether a pod takes something of its node."""
    return (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")


def is_work(pod: Json) -> bool:
    """Whether a pod is somebody's work: not of a DaemonSet, no static pod, nothing of the system.

    What is in doubt counts as work: a node that has it is left alone.
    """
    meta = pod["metadata"]
    owners = {one.get("kind") for one in meta.get("ownerReferences") or ()}
    static = _MIRROR in (meta.get("annotations") or {})
    system = meta.get("namespace") == "kube-system"
    return is_active(pod) and "DaemonSet" not in owners and not static and not system


def waits(pod: Json) -> bool:
    """Whether the scheduler found no place for a pod that may go to any node."""
    status, spec = pod.get("status") or {}, pod.get("spec") or {}
    stuck = any(one.get("type") == "PodScheduled" and one.get("reason") == "Unschedulable"
                for one in status.get("conditions") or ())  # fmt: skip
    leaving = "deletionTimestamp" in pod["metadata"]
    return stuck and not spec.get("nodeName") and not leaving and not _is_bound(spec)


def _is_bound(spec: Json) -> bool:
    """Whether a pod is for a node with a name: no other one helps it."""
    if "kubernetes.io/hostname" in (spec.get("nodeSelector") or {}):
        return True
    node = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    needs = node.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms = needs.get("nodeSelectorTerms") or ()
    return bool(terms) and all(_names_node(term) for term in terms)


def _names_node(term: Json) -> bool:
    fields = term.get("matchFields") or ()
    keys = [one.get("key") for one in (*fields, *(term.get("matchExpressions") or ()))]
    return "metadata.name" in keys or "kubernetes.io/hostname" in keys


def by_node(pods: Iterable[Json]) -> dict[str, list[Json]]:
    """The active pods of each node."""
    found: dict[str, list[Json]] = {}
    for pod in filter(is_active, pods):
        found.setdefault((pod.get("spec") or {}).get("nodeName") or "", []).append(pod)
    return found
