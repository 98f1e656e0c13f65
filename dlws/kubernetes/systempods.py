"""The pods that Kubernetes itself needs on a node: those that do not come up, and a missing
kube-proxy. A node says Ready without them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dlws.kubernetes.api import Api

PATH = "/api/v1/namespaces/kube-system/pods"
SLOW = 180.0
"""Seconds that a pod may take to start: its images have to be pulled."""
_FAILS = re.compile(r"BackOff$|^Err|Error$|^Invalid|NeverPull$|Unavailable$")
_SHOWN = 2

Json = Mapping[str, Any]


def of(connected: Api, now: float) -> dict[str, list[str]]:
    """What is wrong with them, by node; DeployError where the API server does not tell."""
    from dlws.kubernetes.objects import Objects

    return problems(Objects(connected).list(PATH), now)


def problems(pods: Iterable[Json], now: float) -> dict[str, list[str]]:
    """What is wrong with these pods, by node."""
    found, proxied, nodes = dict[str, list[str]](), set[str](), set[str]()
    for pod in pods:
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        nodes.add(node)
        if (pod["metadata"].get("labels") or {}).get("k8s-app") == "kube-proxy":
            proxied.add(node)
        for why in _why(pod, now):
            found.setdefault(node, []).append(f"pod {pod['metadata']['name']}: {why}")
    for node in nodes - proxied - {""} if proxied else ():
        found.setdefault(node, []).append("no kube-proxy: services do not work there")
    return {node: words[:_SHOWN] for node, words in found.items()}


def _why(pod: Json, now: float) -> Iterator[str]:
    status = pod.get("status") or {}
    if pod["metadata"].get("deletionTimestamp") or status.get("phase") == "Succeeded":
        return
    containers = [
        one
        for kind in ("initContainerStatuses", "containerStatuses")
        for one in status.get(kind) or []
    ]
    waits = [
        str(((one.get("state") or {}).get("waiting") or {}).get("reason", "")) for one in containers
    ]
    if failing := [reason for reason in waits if _FAILS.search(reason)]:
        yield failing[0]
    elif status.get("phase") == "Failed":
        yield str(status.get("reason") or "Failed")
    elif status.get("phase") == "Pending" and _age(pod, now) > SLOW:
        yield f"{next(filter(None, waits), 'Pending')} for {_age(pod, now) / 60:.0f} minutes"


def _age(pod: Json, now: float) -> float:
    made = str(pod["metadata"].get("creationTimestamp") or "")
    try:
        return now - datetime.fromisoformat(made.replace("Z", "+00:00")).timestamp()
    except ValueError:
        return 0
