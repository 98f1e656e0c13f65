"""How far an object of a service has come, in words. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlws.services.kinds import NODE, WORKLOADS, Kind
from dlws.services.manifests import Key

if TYPE_CHECKING:
    from dlws.services.folder import Service
    from dlws.services.manifests import Object

Json = Mapping[str, Any]
NONE, ROLLOUT, OFFERS = "none", "rollout", "offers "
_KEEPS_OFF = ("NoSchedule", "NoExecute")
_OF_KUBERNETES = "node.kubernetes.io/"
_CONDITIONS = {"Job": "Complete", "CustomResourceDefinition": "Established"}


@dataclass(frozen=True)
class Goal:
    """What is waited for: that pods are rolled out, that a condition holds, or that a node offers
    a resource (`offers nvidia.com/gpu`)."""

    service: str
    key: Key
    kind: Kind
    condition: str = ROLLOUT

    def state(self, live: Json | None) -> State:
        """How far the object has come."""
        if live is None:
            return State(False, "is not there yet")
        if self.condition == ROLLOUT:
            return rolled_out(self.key.kind, live)
        if self.condition.startswith(OFFERS):
            return offered(live, self.condition.removeprefix(OFFERS))
        return condition(live, self.condition)


@dataclass(frozen=True)
class State:
    """Whether it is reached, how far it has come, and whether it never will be."""

    done: bool
    words: str
    failed: bool = False


def goals(service: Service, wanted: list[Object]) -> list[Goal]:
    """What a start waits for: the service's workloads, and what `waits` of service.yaml says."""
    found = []
    for one in wanted:
        default = ROLLOUT if one.key.kind in WORKLOADS else _CONDITIONS.get(one.key.kind, NONE)
        what = service.says.waits.get(f"{one.key.kind}/{one.name}", default)
        if what != NONE:
            found.append(Goal(service.name, one.key, one.kind, what))
    return found


def offers(
    service: Service, wanted: Sequence[Object], nodes: Callable[[str], Sequence[Json]]
) -> dict[Goal, Json]:
    """What is waited for after the rollout: each offered resource on each node that is to offer it,
    with what the API server says of that node now. `nodes` lists nodes by a selector.

    A kubelet tells the API server of devices some seconds after their plugin is ready: until then
    a pod that asks for one is refused, and `verify` finds none.
    """
    found: dict[Goal, Json] = {}
    for template in _templates(wanted) if service.says.offers else ():
        labels = template.get("nodeSelector") or {}
        selector = ",".join(f"{key}={value}" for key, value in labels.items())
        for node in nodes(selector):
            if takes(node, template.get("tolerations") or []):
                key = Key("", NODE.name, "", node["metadata"]["name"])
                for resource in service.says.offers:
                    found[Goal(service.name, key, NODE, f"{OFFERS}{resource}")] = node
    return found


def _templates(wanted: Sequence[Object]) -> Iterator[Json]:
    for one in wanted:
        if one.key.kind == "DaemonSet":
            yield one.body["spec"]["template"]["spec"]


def takes(node: Json, tolerations: Sequence[Json]) -> bool:
    """Whether a DaemonSet's pod with these tolerations runs on a node: it is ready, and no taint of
    it keeps such pods off. Kubernetes lets DaemonSets' pods tolerate its own taints."""
    tolerated = {str(one.get("key", "")) for one in tolerations}
    if not condition(node, "Ready").done:
        return False
    return "" in tolerated or not any(
        taint["effect"] in _KEEPS_OFF
        and taint["key"] not in tolerated
        and not taint["key"].startswith(_OF_KUBERNETES)
        for taint in (node.get("spec") or {}).get("taints") or []
    )


def condition(live: Json, name: str) -> State:
    """Whether a condition of an object holds."""
    found = {
        str(one.get("type")): one for one in (live.get("status") or {}).get("conditions") or []
    }
    if found.get(name, {}).get("status") == "True":
        return State(True, name)
    if name == "Complete" and found.get("Failed", {}).get("status") == "True":
        return State(False, f"failed: {found['Failed'].get('message', '')}", failed=True)
    message = found.get(name, {}).get("message", "")
    return State(False, f"is not {name} yet{f': {message}' if message else ''}")


def offered(node: Json, resource: str) -> State:
    """Whether a node offers any of an extended resource."""
    number = ((node.get("status") or {}).get("allocatable") or {}).get(resource, "0")
    return State(number != "0", f"offers {'no' if number == '0' else number} {resource}")


def rolled_out(kind: str, live: Json) -> State:
    """Whether all pods of a workload are of its newest revision, and ready."""
    status, spec = live.get("status") or {}, live.get("spec") or {}
    wanted, updated, ready, left = counts(kind, spec, status)
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return State(False, "its change has not been seen by its controller yet")
    words = f"{min(updated, ready)} of {wanted} pods"
    if updated < wanted or ready < wanted:
        return State(False, f"{words} ready")
    if left:
        return State(False, f"{left} old pods are still there")
    return State(True, f"{words} ready")


def counts(kind: str, spec: Json, status: Json) -> tuple[int, int, int, int]:
    """Pods: how many are wanted, of the newest revision, ready (available), and left over."""
    if kind == "DaemonSet":
        updated = int(status.get("updatedNumberScheduled", 0))
        wanted = int(status.get("desiredNumberScheduled", 0))
        return wanted, updated, int(status.get("numberAvailable", 0)), 0
    wanted = int(spec.get("replicas", 1))
    if kind == "StatefulSet":
        same = status.get("currentRevision") == status.get("updateRevision")
        updated = wanted if same else int(status.get("updatedReplicas", 0))
        return wanted, updated, int(status.get("readyReplicas", 0)), 0
    updated = int(status.get("updatedReplicas", 0))
    left = max(0, int(status.get("replicas", 0)) - updated)
    return wanted, updated, int(status.get("availableReplicas", 0)), left
