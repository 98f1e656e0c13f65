"""The shapes of objects in the API server's JSON, as far as they are read: checked where they come
in, so that nothing behind that meets another one. What is not read may be of any shape."""

# Annotations are values here: Pydantic reads them.
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

Words = dict[str, str] | None


class _Shape(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")


class Owner(_Shape):
    name: str
    uid: str = ""


class Entry(_Shape):
    manager: str = ""
    operation: str = ""
    fieldsV1: dict[str, Any] | None = None


class Metadata(_Shape):
    name: str
    namespace: str = ""
    uid: str = ""
    labels: Words = None
    annotations: Words = None
    managedFields: list[Entry] | None = None
    ownerReferences: list[Owner] | None = None
    creationTimestamp: str | None = None
    deletionTimestamp: str | None = None
    generation: int = 0


class _Told(_Shape):
    conditions: list[dict[str, Any]] | None = None


class Thing(_Shape):
    """An object of any kind."""

    metadata: Metadata
    status: _Told | None = None


class Map(Thing):
    data: Words = None


class Condition(_Shape):
    type: str
    status: str
    message: str = ""


class _Conditioned(_Told):
    conditions: list[Condition] | None = None  # type: ignore[assignment]


class Finishing(Thing):
    """A Job, or the definition of a kind."""

    status: _Conditioned | None = None


class _Waiting(_Shape):
    reason: str = ""
    message: str = ""


class _Ended(_Shape):
    exitCode: int = 0
    signal: int = 0
    reason: str = ""


class _State(_Shape):
    waiting: _Waiting | None = None
    terminated: _Ended | None = None


class _Container(_Shape):
    name: str
    ready: bool = False
    restartCount: int = 0
    state: _State | None = None
    lastState: _State | None = None


class _Image(_Shape):
    name: str
    image: str = ""


class _Wish(_Shape):
    key: str
    operator: str
    values: list[str] | None = None


class _Term(_Shape):
    matchExpressions: list[_Wish] | None = None


class _Required(_Shape):
    nodeSelectorTerms: list[_Term] | None = None


class _NodeAffinity(_Shape):
    requiredDuringSchedulingIgnoredDuringExecution: _Required | None = None


class _Affinity(_Shape):
    nodeAffinity: _NodeAffinity | None = None


class _PodSpec(_Shape):
    nodeName: str = ""
    nodeSelector: Words = None
    affinity: _Affinity | None = None
    initContainers: list[_Image] | None = None
    containers: list[_Image] | None = None


class _PodStatus(_Conditioned):
    phase: str = ""
    hostIP: str = ""
    initContainerStatuses: list[_Container] | None = None
    containerStatuses: list[_Container] | None = None


class Pod(Thing):
    spec: _PodSpec | None = None
    status: _PodStatus | None = None


class _Port(_Shape):
    nodePort: int = 0


class _Ports(_Shape):
    ports: list[_Port] | None = None


class Service(Thing):
    spec: _Ports | None = None


class _Taint(_Shape):
    key: str
    effect: str


class _NodeSpec(_Shape):
    taints: list[_Taint] | None = None


class _NodeStatus(_Conditioned):
    allocatable: Words = None


class Node(Thing):
    spec: _NodeSpec | None = None
    status: _NodeStatus | None = None


class _Workload(_Shape):
    replicas: int = 0
    volumeClaimTemplates: list[Thing] | None = None


class _Counts(_Conditioned):
    observedGeneration: int = 0
    replicas: int = 0
    updatedReplicas: int = 0
    availableReplicas: int = 0
    readyReplicas: int = 0
    desiredNumberScheduled: int = 0
    updatedNumberScheduled: int = 0
    numberAvailable: int = 0


class Workload(Thing):
    """What rolls out pods."""

    spec: _Workload | None = None
    status: _Counts | None = None


class Event(Thing):
    type: str = ""
    message: str = ""
    lastTimestamp: str | None = None
    eventTime: str | None = None


class Served(_Shape):
    """A kind that an API server serves."""

    name: str
    kind: str
    namespaced: bool


class Kinds(_Shape):
    resources: list[Served] | None = None


_BY_PLACE: Mapping[tuple[str, str], type[Thing]] = {
    ("", "pods"): Pod,
    ("", "nodes"): Node,
    ("", "services"): Service,
    ("", "configmaps"): Map,
    ("", "events"): Event,
    ("batch", "jobs"): Finishing,
    ("apiextensions.k8s.io", "customresourcedefinitions"): Finishing,
}
_WORKLOADS = ("deployments", "daemonsets", "statefulsets", "replicasets")


def wrong(item: object, path: str) -> str:
    """What is wrong with an object from a path of the API; empty where what is read of it is right.

    By the path, since that is what was asked for: what an object says of its own kind may be wrong.
    """
    group, plural = _place(path.partition("?")[0])
    shape = Workload if plural in _WORKLOADS else _BY_PLACE.get((group, plural), Thing)
    return _against(shape, item)


def _place(path: str) -> tuple[str, str]:
    """The group and the plural in a path: ("apps", "deployments")."""
    words = path.strip("/").split("/")
    group, rest = (words[1], words[3:]) if words[0] == "apis" else ("", words[2:])
    inside = rest[2:] if rest[:1] == ["namespaces"] else []
    return group, (inside or rest or [""])[0]


def wrong_kinds(document: object) -> str:
    """The same for the list of kinds that a version of a group has."""
    return _against(Kinds, document)


def _against(shape: type[_Shape], item: object) -> str:
    try:
        shape.model_validate(item)
    except ValidationError as error:
        place = ".".join(str(part)[:80] for part in error.errors()[0]["loc"][:8])
        return f"{place or 'it'} is not what it should be"
    except (ValueError, RecursionError) as error:
        return str(error)[:200]
    return ""
