"""What services have in the cluster: by their inventories, and by the label of what is ours."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.core.text import split_lines
from dlws.services.compare import is_ours
from dlws.services.kinds import Kind, built_in
from dlws.services.manifests import SERVICE, Json, Key

if TYPE_CHECKING:
    from dlws.kubernetes.objects import Objects
    from dlws.services.manifests import Object

_PLACE, _PREFIX, _DATA = "kube-system", "dlws-service-", "objects"
_BETWEEN = {"Deployment": "/apis/apps/v1/replicasets", "CronJob": "/apis/batch/v1/jobs"}
"""Kinds that make no pods themselves: where what they make for that is."""
_MAPS = built_in("v1", "ConfigMap")
assert _MAPS


@dataclass(frozen=True)
class Ref:
    """An object that a service has, or had, in the cluster."""

    kind: Kind
    namespace: str
    name: str

    @property
    def key(self) -> Key:
        return Key(self.kind.group, self.kind.name, self.namespace, self.name)

    @property
    def path(self) -> str:
        return self.kind.path(self.namespace, self.name)

    def line(self) -> str:
        """The reference in an inventory."""
        kind = self.kind
        scope = self.namespace if kind.namespaced else "-"
        return f"{kind.api_version} {kind.name} {kind.plural} {scope} {self.name}"


# Names of roles may have more than those of other objects, and are quoted in paths.
_LINE = re.compile(r"([a-z0-9./-]+) ([A-Za-z0-9]+) ([a-z0-9]+) ([a-z0-9-]+) ([^\s/%]+)")


def ref(line: str) -> Ref:
    """The object that a line of an inventory names; DeployError where it is no such line."""
    found = _LINE.fullmatch(line)
    if not found:
        raise DeployError(
            f"an inventory of services has a line that makes no sense: {line[:200]!r}",
            f"see: {PROGRAM} kubectl -n {_PLACE} get configmaps -l {SERVICE} -o yaml",
        )
    version, name, plural, scope, own = found.groups()
    # Where a known kind is kept, no inventory says: it could have data deleted for something else.
    kind = built_in(version, name) or Kind(version, name, plural, scope != "-")
    return Ref(kind, scope if kind.namespaced else "", own)


def ref_of(wanted: Object) -> Ref:
    return Ref(wanted.kind, wanted.namespace, wanted.name)


def labels(services: Iterable[str] = ()) -> str:
    """The selector of what is of these services, or of any."""
    names = sorted(services)
    return f"{SERVICE} in ({','.join(names)})" if names else SERVICE


def _uid(item: Json) -> str:
    return str(item["metadata"].get("uid", ""))


def owner(item: Json, owners: Mapping[str, str]) -> str:
    """The service that an object is of, by its own uid or its owners'; empty: it is foreign."""
    references = item["metadata"].get("ownerReferences") or []
    uids = [_uid(item), *(one.get("uid", "") for one in references)]
    return next((owners[uid] for uid in uids if uid in owners), "")


def inventory_path(service: str) -> str:
    assert _MAPS
    return _MAPS.path(_PLACE, f"{_PREFIX}{service}")


def inventory(service: str, refs: Sequence[Ref]) -> Json:
    """The ConfigMap that names all objects of a service in the order of their making.

    It is written before them: what an interrupted start leaves behind is found by the next.
    """
    metadata = {"name": f"{_PREFIX}{service}", "namespace": _PLACE, "labels": {SERVICE: service}}
    lines = "".join(f"{one.line()}\n" for one in refs)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {_DATA: lines},
    }


class Survey:
    """What the API server has. Each kind is listed once, for all services."""

    def __init__(self, api: Objects) -> None:
        self._api = api
        self.live: dict[Key, Json] = {}
        self.inventories: dict[str, list[Ref]] = {}
        self._listed: set[Kind] = set()
        assert _MAPS
        self.read([_MAPS])

    def read(self, kinds: Iterable[Kind]) -> None:
        """List all objects of services that are of these kinds, several kinds at a time."""
        new = [kind for kind in dict.fromkeys(kinds) if kind not in self._listed]
        self._listed |= set(new)

        def found(kind: Kind) -> list[Json]:
            return self._api.list(kind.all, labels())

        with ThreadPoolExecutor(max(1, min(8, len(new)))) as pool:
            for kind, items in zip(new, pool.map(found, new), strict=True):
                for item in items:
                    self._keep(kind, item)

    def _keep(self, kind: Kind, item: Json) -> None:
        metadata = item["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        if kind == _MAPS and namespace == _PLACE and name.startswith(_PREFIX):
            lines = split_lines(str((item.get("data") or {}).get(_DATA, "")))
            self.inventories[name.removeprefix(_PREFIX)] = [ref(line) for line in lines]
        else:
            self.live[Key(kind.group, kind.name, namespace, name)] = item

    def read_services(self, services: Iterable[str]) -> None:
        """List all kinds that these services have objects of."""
        self.read(one.kind for name in services for one in self.inventories.get(name, ()))

    def ours(self, service: str, where: Callable[[Ref], bool] = lambda _: True) -> list[Ref]:
        """What the service has by its inventory that is there, and was made by us."""
        return [
            one
            for one in self.inventories.get(service, ())
            if where(one) and (live := self.live.get(one.key)) and is_ours(live, service)
        ]

    def owners(self, services: Iterable[str]) -> dict[str, str]:
        """Which service is whose: by the uid of what it has, and of what is between that and pods.

        A label says nothing of this: whoever may make a pod may give it ours.
        """
        found: dict[str, str] = {}
        makers: set[str] = set()
        for name in services:
            for one in self.ours(name):
                makers.add(one.kind.name)
                found[_uid(self.live[one.key])] = name
        for maker, path in _BETWEEN.items():
            for item in self._api.list(path, labels()) if maker in makers else ():
                if name := owner(item, found):
                    found[_uid(item)] = name
        found.pop("", None)
        return found

    def strays(self, service: str, wanted: Mapping[Key, object]) -> list[Ref]:
        """What is ours and no manifest wants any more, by the inventory and by the label."""
        listed = {one.key: one for one in self.inventories.get(service, ())}
        kinds = {(kind.group, kind.name): kind for kind in self._listed}
        found = []
        for key, live in self.live.items():
            if key not in wanted and is_ours(live, service):
                kind = kinds[key.group, key.kind]
                found.append(listed.get(key) or Ref(kind, key.namespace, key.name))
        return found
