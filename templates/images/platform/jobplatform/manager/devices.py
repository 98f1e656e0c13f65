"""Kinds of devices: what Kubernetes calls them, and what a job needs beside the resource."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jobplatform.admission import Amount, Node

RESOURCES = (
    "nvidia.com/gpu", "huawei.com/Ascend910", "huawei.com/Ascend310", "huawei.com/Ascend310P",
    "npu.huawei.com/NPU", "amd.com/gpu", "dlws.io/fake",
)  # fmt: skip
NO_GPU = {"NVIDIA_VISIBLE_DEVICES": "void"}
"""Without it, an image that asks for all GPUs of its node would see them in a job without any."""

_AMOUNT = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|Ki|M|Mi|G|Gi|T|Ti|)")
_SIZES = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
          "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}  # fmt: skip


def resource(node: Mapping[str, Any]) -> str:
    """The resource by which a node offers its devices; nothing where it has none."""
    offered = node.get("status", {}).get("allocatable", {})
    return next((name for name in RESOURCES if number(offered.get(name)) > 0), "")


def kind(node: Mapping[str, Any]) -> str:
    """What quotas call the node's devices: its label gpuType, or else the resource's last word."""
    name = resource(node)
    labels = node.get("metadata", {}).get("labels", {})
    return str(labels.get("gpuType") or name.rpartition("/")[2]) if name else ""


def amount(given: Mapping[str, Any], name: str) -> Amount:
    """Requests or what a node offers, in the admission's units."""
    return Amount(
        int(number(given.get(name))) if name else 0,
        int(number(given.get("cpu")) * 1000),
        int(number(given.get("memory")) // 2**20),
        int(number(given.get("pods"))),
    )


def number(text: Any) -> float:
    """A quantity of Kubernetes: 2, 500m, 64Gi; 0 for none."""
    found = _AMOUNT.fullmatch(str(text)) if text is not None else None
    if not found:
        return 0
    value = float(found[1])
    return value / 1000 if found[2] == "m" else value * _SIZES[found[2]]


def nodes(found: Iterable[Mapping[str, Any]], taken: Mapping[str, Amount]) -> tuple[Node, ...]:
    """The nodes as the admission wants them, with what other pods take of each. Nodes of the
    control plane, and those that nothing may run on, are out."""
    made = []
    for node in found:
        meta, spec = node["metadata"], node.get("spec", {})
        labels = meta.get("labels", {})
        if any(word in labels for word in _CONTROL):
            continue
        size = amount(node.get("status", {}).get("allocatable", {}), resource(node))
        takes = ready(node) and not spec.get("unschedulable") and not _tainted(spec)
        made.append(Node(meta["name"], kind(node), size, taken.get(meta["name"], Amount()), takes,
                         str(labels.get("rack", ""))))  # fmt: skip
    return tuple(made)


_CONTROL = ("node-role.kubernetes.io/master", "node-role.kubernetes.io/control-plane")


def ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _tainted(spec: Mapping[str, Any]) -> bool:
    effects = {one.get("effect") for one in spec.get("taints") or []}
    return not effects.isdisjoint({"NoSchedule", "NoExecute"})
