"""Where the API server keeps objects of a kind, and the order in which kinds are applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dlws.core.errors import DeployError
from dlws.kubernetes import shapes

_BUILT_IN = (
    "v1 apps batch autoscaling policy networking.k8s.io rbac.authorization.k8s.io storage.k8s.io "
    "scheduling.k8s.io apiextensions.k8s.io apiregistration.k8s.io node.k8s.io "
    "admissionregistration.k8s.io coordination.k8s.io"
)
_OF_THE_CLUSTER = (
    "Namespace Node PersistentVolume ClusterRole ClusterRoleBinding CustomResourceDefinition "
    "PriorityClass StorageClass IngressClass RuntimeClass CSIDriver CSINode APIService "
    "MutatingWebhookConfiguration ValidatingWebhookConfiguration PodSecurityPolicy "
    "VolumeAttachment"
)
_FIRST = (
    ("Namespace",),
    ("CustomResourceDefinition",),
    ("PriorityClass", "StorageClass", "RuntimeClass", "ServiceAccount", "Secret", "ConfigMap"),
    ("PersistentVolume", "PersistentVolumeClaim"),
    ("ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
)
KEPT = frozenset(
    ("Namespace", "PersistentVolumeClaim", "PersistentVolume", "CustomResourceDefinition")
)
"""Kinds with whose objects data goes: they are deleted only with --delete-data."""
WORKLOADS = {"Deployment": "deployments", "DaemonSet": "daemonsets", "StatefulSet": "statefulsets"}
"""The kinds that roll out pods, and where they are under /apis/apps/v1."""


@dataclass(frozen=True)
class Kind:
    """A kind of objects, and its place in the API."""

    api_version: str
    name: str
    plural: str
    namespaced: bool

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    @property
    def all(self) -> str:
        """The path of all objects of this kind, in all namespaces."""
        root = "/apis" if "/" in self.api_version else "/api"
        return f"{root}/{self.api_version}/{self.plural}"

    def path(self, namespace: str, name: str) -> str:
        """The path of one object."""
        if not self.namespaced:
            return f"{self.all}/{quote(name, safe=':')}"
        head = self.all.removesuffix(f"/{self.plural}")
        return f"{head}/namespaces/{namespace}/{self.plural}/{quote(name, safe=':')}"


def built_in(api_version: str, name: str) -> Kind | None:
    """A kind of Kubernetes itself: what is asked for most needs no question to the API server."""
    group = api_version.rpartition("/")[0] or api_version
    if group not in _BUILT_IN.split():
        return None
    return Kind(api_version, name, _plural(name), name not in _OF_THE_CLUSTER.split())


def _plural(name: str) -> str:
    low = name.lower()
    if low == "endpoints":
        return low
    if low.endswith("y"):
        return f"{low[:-1]}ies"
    return f"{low}es" if low.endswith("s") else f"{low}s"


def defined(bodies: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], Kind]:
    """The kinds that CustomResourceDefinitions among these objects define."""
    found: dict[tuple[str, str], Kind] = {}
    for spec in (b.get("spec") or {} for b in bodies if b["kind"] == "CustomResourceDefinition"):
        names, everywhere = spec["names"], spec.get("scope") != "Cluster"
        for version in spec.get("versions") or []:
            place = f"{spec['group']}/{version['name']}"
            found[place, names["kind"]] = Kind(place, names["kind"], names["plural"], everywhere)
    return found


NODE = Kind("v1", "Node", "nodes", namespaced=False)


class Kinds:
    """Finds kinds: built in, defined by manifests, else asked for once per group."""

    def __init__(self, ask: Callable[[str], Mapping[str, Any] | None] | None = None) -> None:
        self._ask, self._known = ask, dict[tuple[str, str], Kind]()
        self._asked: set[str] = set()

    def learn(self, bodies: Iterable[Mapping[str, Any]]) -> None:
        self._known |= defined(bodies)

    def of(self, api_version: str, name: str) -> Kind:
        """The kind; DeployError where the API server does not know it."""
        key = (api_version, name)
        if found := self._known.get(key) or built_in(api_version, name):
            return found
        if self._ask is None:  # offline: where it is does not matter then
            return Kind(api_version, name, _plural(name), True)
        if api_version not in self._asked:
            self._asked.add(api_version)
            self._known |= _served(api_version, self._ask(f"/apis/{api_version}") or {})
        if key not in self._known:
            raise DeployError(
                f"the API server knows no {name} of {api_version}",
                "start the service that defines it first: name it under needs: in service.yaml",
            )
        return self._known[key]


def _served(api_version: str, answer: Mapping[str, Any]) -> dict[tuple[str, str], Kind]:
    """The kinds that an API server serves in a version of a group."""
    if why := shapes.wrong_kinds(answer):
        raise DeployError(
            f"the API server's list of kinds of {api_version} makes no sense: {why}",
            "see whether something else answers at that address",
        )
    return {
        (api_version, one["kind"]): Kind(api_version, one["kind"], one["name"], one["namespaced"])
        for one in answer.get("resources") or []
        if "/" not in one["name"]
    }


def rank(kind: str) -> int:
    """When objects of a kind are applied: what others need to be there comes first."""
    for place, kinds in enumerate(_FIRST):
        if kind in kinds:
            return place
    return len(_FIRST)
