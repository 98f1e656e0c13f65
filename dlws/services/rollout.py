"""How far an object of a service has come, in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dlws.services.kinds import WORKLOADS, Kind
from dlws.services.manifests import Key

if TYPE_CHECKING:
    from dlws.services.folder import Service
    from dlws.services.manifests import Object

NONE, ROLLOUT = "none", "rollout"
_CONDITIONS = {"Job": "Complete", "CustomResourceDefinition": "Established"}


@dataclass(frozen=True)
class Goal:
    """What is waited for: that pods are rolled out, or that a condition holds."""

    service: str
    key: Key
    kind: Kind
    condition: str = ROLLOUT

    def state(self, live: Mapping[str, Any] | None) -> State:
        """How far the object has come."""
        if live is None:
            return State(False, "is not there yet")
        if self.condition == ROLLOUT:
            return rolled_out(self.key.kind, live)
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


def condition(live: Mapping[str, Any], name: str) -> State:
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


def rolled_out(kind: str, live: Mapping[str, Any]) -> State:
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


def counts(
    kind: str, spec: Mapping[str, Any], status: Mapping[str, Any]
) -> tuple[int, int, int, int]:
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
