"""The state of Kubernetes as metrics, read when Prometheus asks: nodes, their devices, pods, and
the parts of the control plane. The names are those of the predecessor's watchdog."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from jobplatform.kubernetes import Away, Kubernetes, Refused
from jobplatform.manager import devices, observed

Object = Mapping[str, Any]
_LOG = logging.getLogger("jobplatform")
_GONE = {"Succeeded", "Failed"}


class Watchdog(Collector):
    """`dlws_kubernetes_answers` is 0 where the API server says nothing; then there is nothing else:
    no number stands for what nobody knows."""

    def __init__(self, kubernetes: Kubernetes) -> None:
        self.kubernetes = kubernetes

    def collect(self) -> Iterator[GaugeMetricFamily]:
        answers = GaugeMetricFamily(
            "dlws_kubernetes_answers", "Whether the API server answers, and lets this in."
        )
        try:
            nodes, pods = self.kubernetes.all("nodes"), self.kubernetes.all("pods")
        except (Away, Refused) as error:
            _LOG.warning("Kubernetes: %s", error)
            answers.add_metric([], 0)
            yield answers
            return
        answers.add_metric([], 1)
        yield answers
        yield from _nodes(nodes)
        yield from _devices(nodes, pods)
        yield _pods(pods)
        yield _components(pods)


def _gauge(
    name: str, says: str, labels: Sequence[str], values: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    made = GaugeMetricFamily(name, says, labels=labels)
    for given, value in values:
        made.add_metric(given, value)
    return made


def _nodes(nodes: Sequence[Object]) -> Iterator[GaugeMetricFamily]:
    kinds = Counter((_word(devices.ready(one)), _word(_cordoned(one))) for one in nodes)
    yield _gauge("k8s_node_count", "Nodes.", ["ready", "unschedulable"], kinds.items())
    ready = [([one["metadata"]["name"]], float(devices.ready(one))) for one in nodes]
    yield _gauge("k8s_node_ready", "Whether a node is Ready.", ["node_name"], ready)


def _devices(nodes: Sequence[Object], pods: Sequence[Object]) -> Iterator[GaugeMetricFamily]:
    """Those of a node that takes no work are not to be had."""
    taken = Counter[str]()
    for pod in pods:
        if pod.get("status", {}).get("phase") not in _GONE:
            taken[pod.get("spec", {}).get("nodeName", "")] += observed.requests(pod).devices
    total, allocatable, available = [], [], []
    for one in nodes:
        name = one["metadata"]["name"]
        for resource in devices.RESOURCES:
            given = one.get("status", {})
            has, offers = (devices.number(given.get(kind, {}).get(resource))
                           for kind in ("capacity", "allocatable"))  # fmt: skip
            if has or offers:
                works = devices.ready(one) and not _cordoned(one)
                total.append(([name, resource], has))
                allocatable.append(([name, resource], offers))
                available.append(([name, resource], max(offers - taken[name], 0) if works else 0))
    says = "Devices of a node: all; those that its plugin finds well; those that nobody has."
    for what, values in (("total", total), ("allocatable", allocatable), ("available", available)):
        yield _gauge(f"k8s_node_gpu_{what}", says, ["node_name", "resource"], values)


def _pods(pods: Sequence[Object]) -> GaugeMetricFamily:
    found = Counter((one["metadata"]["namespace"], str(one.get("status", {}).get("phase", "")))
                    for one in pods)  # fmt: skip
    return _gauge("k8s_pod_count", "Pods.", ["namespace", "phase"], found.items())


def _components(pods: Sequence[Object]) -> GaugeMetricFamily:
    """Parts of the control plane that kubeadm runs as pods."""
    found = []
    for one in pods:
        meta = one["metadata"]
        labels = meta.get("labels") or {}
        if meta["namespace"] == "kube-system" and labels.get("tier") == "control-plane":
            conditions = one.get("status", {}).get("conditions") or []
            ready = any((each["type"], each["status"]) == ("Ready", "True") for each in conditions)
            node = str(one.get("spec", {}).get("nodeName", ""))
            found.append(([str(labels.get("component", "")), node], float(ready)))
    says = "Whether a part of the control plane is Ready."
    return _gauge("k8s_component_ready", says, ["component", "node_name"], found)


def _cordoned(node: Object) -> bool:
    return bool(node.get("spec", {}).get("unschedulable"))


def _word(value: bool) -> str:
    return str(value).lower()
