"""An API server in memory that keeps objects of any kind, as far as services need one.

It stands where the HTTP connection is: paths, queries and bodies are those that are sent.
"""

from __future__ import annotations

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from dlws.core.errors import DeployError
from dlws.kubernetes.api import ApiRefused
from dlws.kubernetes.objects import MANAGER, Objects
from dlws.services.kinds import WORKLOADS

Json = dict[str, Any]
_END = None


def field_set(value: Any) -> Json:
    """The fields of a value as managedFields has them; lists of things by what is unique of each:
    a volume may be mounted twice."""
    if isinstance(value, dict):
        return {f"f:{key}": field_set(item) for key, item in value.items()}
    for key in ("mountPath", "name") if isinstance(value, list) else ():
        if all(isinstance(one, dict) and key in one for one in value):
            return {f"k:{json.dumps({key: one[key]})}": field_set(one) for one in value}
    return {}


def node(name: str, ready: bool = True, **labels: str) -> Json:
    """A node as an API server has it."""
    conditions = [
        {"type": "MemoryPressure", "status": "False"},
        {"type": "Ready", "status": "True" if ready else "False", "message": "why"},
    ]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "resourceVersion": "1"},
        "spec": {"podCIDR": "10.244.0.0/24", "taints": [{"key": "k", "effect": "NoSchedule"}]},
        "status": {
            "conditions": conditions,
            "addresses": [{"type": "InternalIP", "address": "10.1.0.1"}],
            "nodeInfo": {"kubeletVersion": "v1.20.2"},
        },
    }


class Answer:
    def __init__(self, data: bytes = b"", lines: queue.Queue[bytes | None] | None = None) -> None:
        self.data, self._lines = data, lines

    def shutdown(self) -> None:
        if self._lines:
            self._lines.put(_END)

    def stream(self) -> Iterator[bytes]:
        assert self._lines
        while (line := self._lines.get()) is not _END:
            yield line


class FakeKube:
    """Objects by path. Workloads are rolled out at once, unless they are in `stuck`.

    Like a release before 1.21 it applies no APIService, unless `applies_all` says so.
    """

    def __init__(self, applies_all: bool = False) -> None:
        self.objects: dict[str, Json] = {}
        self.asked: list[tuple[str, str]] = []
        self.stuck: set[str] = set()
        self.applies_all = applies_all
        self.refusals: dict[tuple[str, str], tuple[int, str]] = {}
        self.logs: dict[str, str] = {}
        self.lists: dict[str, list[Json]] = {}
        """Answers for paths whose objects nothing here makes, such as pods and events."""
        self._count = 0

    def connect(self) -> Any:
        @contextmanager
        def connected(cluster: object) -> Iterator[Objects]:
            yield Objects(self)  # type: ignore[arg-type]

        return connected

    @property
    def mutations(self) -> list[tuple[str, str]]:
        return [(method, path) for method, path in self.asked if method != "GET"]

    def open(
        self, method: str, path: str, body: bytes = b"", media: str = "", seconds: float = 0
    ) -> Answer:
        url = urlsplit(path)
        query = {key: value[0] for key, value in parse_qs(url.query).items()}
        self.asked.append((method, url.path))
        if refusal := self.refusals.get((method, url.path)):
            raise ApiRefused(f"refused: {refusal[0]} {refusal[1]}", "", refusal[0])
        if method == "GET":
            return self._get(url.path, query)
        if method == "DELETE":
            if self.objects.pop(url.path, None) is None:
                raise ApiRefused("not found", "", 404)
            return Answer(b"{}")
        if method == "POST":
            return self._post(url.path, json.loads(body))
        return self._patch(url.path, query, json.loads(body), media)

    def read(self, answer: Answer, limit: int = 0, seconds: float = 0) -> bytes:
        return answer.data

    def document(self, data: bytes) -> Json:
        found: Json = json.loads(data)
        return found

    def senseless(self, why: str = "") -> DeployError:
        return DeployError(f"an answer makes no sense: {why}")

    def items(self, document: Json) -> list[Json]:
        return list(document.get("items") or [])

    def lines(self, answer: Answer) -> Iterator[bytes]:
        return answer.stream()

    def _get(self, path: str, query: Json) -> Answer:
        if path.endswith("/log"):
            return Answer(self.logs.get(path, "").encode())
        if path in self.objects:
            return Answer(json.dumps(self.objects[path]).encode())
        found = [item for item in self._all(path) if _selected(item, query)]
        if "watch" in query:
            told: queue.Queue[bytes | None] = queue.Queue()
            for item in found:
                told.put(json.dumps({"type": "ADDED", "object": item}).encode())
            return Answer(lines=told)
        return Answer(json.dumps({"kind": "XList", "apiVersion": "v1", "items": found}).encode())

    def _all(self, path: str) -> list[Json]:
        head, _, plural = path.rpartition("/")
        inside = [
            item
            for place, item in self.objects.items()
            if place.startswith(head) and place.split("/")[-2] == plural
        ]
        return [*inside, *self.lists.get(path, [])]

    def _post(self, path: str, body: Json) -> Answer:
        """A new object, of whose fields nothing is put on record."""
        place = f"{path}/{body['metadata']['name']}"
        if place in self.objects:
            raise ApiRefused("it already exists", "", 409)
        return self._kept(place, body)

    def _patch(self, path: str, query: Json, body: Json, media: str) -> Answer:
        before = self.objects.get(path)
        applied = "apiregistration" in path and "apply-patch" in media
        assert self.applies_all or not applied, "release 1.20 panics"
        if media.startswith("application/merge-patch"):
            assert before
            made = _merged(before, body)
        else:
            mine = before is None or any(
                one["manager"] == MANAGER for one in before["metadata"].get("managedFields", ())
            )
            if query["force"] == "false" and not mine:
                raise ApiRefused("conflict with kubectl", "", 409)
            made = json.loads(json.dumps(body))
            metadata = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
            fields = field_set({**body, "metadata": metadata})
            entry = {"manager": MANAGER, "operation": "Apply", "fieldsV1": fields}
            made["metadata"]["managedFields"] = [entry]
        return self._kept(path, made)

    def _kept(self, path: str, made: Json) -> Answer:
        self._count += 1
        made["metadata"] |= {"uid": f"uid-{path}", "resourceVersion": str(self._count)}
        if made["kind"] in WORKLOADS:
            made["status"] = {} if made["metadata"]["name"] in self.stuck else rolled_out(made)
        if made["kind"] == "APIService":
            made["status"] = {"conditions": [{"type": "Available", "status": "True"}]}
        self.objects[path] = made
        return Answer(json.dumps(made).encode())


def rolled_out(body: Json) -> Json:
    number = body["spec"].get("replicas", 1)
    names = ("updatedReplicas", "availableReplicas", "readyReplicas", "replicas",
             "desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable")  # fmt: skip
    return dict.fromkeys(names, number)


def _selected(item: Json, query: Json) -> bool:
    labels = item["metadata"].get("labels") or {}
    selector = query.get("labelSelector", "")
    if "=" in selector:
        return all(labels.get(k) == v for k, v in (p.split("=") for p in selector.split(",")))
    key, _, names = selector.partition(" in ")
    return not key or (key in labels and (not names or labels[key] in names.strip("()").split(",")))


def _merged(below: Json, above: Json) -> Json:
    result = dict(below)
    for key, value in above.items():
        old = result.get(key)
        result[key] = _merged(old or {}, value) if isinstance(value, dict) else value
    return result
