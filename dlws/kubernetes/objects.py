"""Objects of any kind in the API server, as raw JSON: read, applied, deleted, watched."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from dlws.core.errors import DeployError
from dlws.core.limits import API_BYTES, TAIL_BYTES
from dlws.kubernetes import api as access
from dlws.kubernetes import shapes
from dlws.kubernetes.answers import shut
from dlws.kubernetes.api import WHOLE, ApiRefused, is_object

if TYPE_CHECKING:
    from dlws.kubernetes.api import Api
    from dlws.nodes.cluster import Cluster

MANAGER = "dlws"
"""The field manager under whose name manifests are applied."""
_APPLY = "application/apply-patch+yaml"  # of which JSON is a part
_MERGE = "application/merge-patch+json"
GONE = 404
_LOG = 30.0
"""Seconds for the end of a log, which the kubelet of a node sends."""
Json = dict[str, Any]


class Event(NamedTuple):
    """What a watch tells: ADDED, MODIFIED, DELETED, and the object."""

    type: str
    object: Json


@contextmanager
def connect(cluster: Cluster) -> Iterator[Objects]:
    """The objects of the cluster."""
    with access.connect(cluster) as api:
        yield Objects(api)


def with_query(path: str, **query: Any) -> str:
    """A path with what stands behind its question mark; empty values are left out."""
    given = {key: value for key, value in query.items() if value not in ("", None)}
    return f"{path}?{urlencode(given)}" if given else path


class Objects:
    """What the API server keeps, by its paths."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, path: str) -> Json | None:
        """An object; None where there is none."""
        try:
            return self._api.document(self._ask("GET", path))
        except ApiRefused as error:
            if error.status == GONE:
                return None
            raise

    def list(self, path: str, labels: str = "", fields: str = "") -> list[Json]:
        """The objects at a path; none where the API server does not know the kind."""
        asked = with_query(path, labelSelector=labels, fieldSelector=fields)
        # The items of a list do not say of what kind they are: the list does.
        found = self.get(asked) or {}
        head = {
            "apiVersion": found.get("apiVersion", ""),
            "kind": str(found.get("kind", "")).removesuffix("List"),
        }
        return [self._checked({**head, **item}, path) for item in self._api.items(found)]

    def apply(self, path: str, body: Mapping[str, Any], force: bool = True) -> Json:
        """Server-side apply. Without `force`, what others have set otherwise is a refusal (409)."""
        asked = with_query(path, fieldManager=MANAGER, force=str(force).lower())
        return self._checked(self._loaded("PATCH", asked, body, _APPLY), path)

    def put(self, path: str, body: Mapping[str, Any], force: bool) -> Json:
        """Make an object without server-side apply. With `force`, one that is there is changed;
        without, it is a refusal (409)."""
        try:
            if force:
                return self.merge(path, body, MANAGER)
        except ApiRefused as error:
            if error.status != GONE:
                raise
        asked = with_query(path.rpartition("/")[0], fieldManager=MANAGER)
        return self._checked(self._loaded("POST", asked, body, "application/json"), path)

    def merge(self, path: str, body: Mapping[str, Any], manager: str) -> Json:
        """Change parts of an object, under a field manager's name of its own."""
        asked = with_query(path, fieldManager=manager)
        return self._checked(self._loaded("PATCH", asked, body, _MERGE), path)

    def delete(self, path: str, uid: str = "") -> bool:
        """Delete an object, and what belongs to it; False where it is gone already."""
        body: Json = {"kind": "DeleteOptions", "apiVersion": "v1"}
        body["propagationPolicy"] = "Background"
        if uid:  # and not one of the same name that was made since
            body["preconditions"] = {"uid": uid}
        try:
            self._loaded("DELETE", path, body, "application/json")
        except ApiRefused as error:
            if error.status == GONE:
                return False
            raise
        return True

    def log(self, pod: str, container: str, previous: bool, lines: int) -> str:
        """The last lines that a container wrote; empty where there is nothing to be had."""
        past = "true" if previous else ""
        limits = {"tailLines": lines, "limitBytes": TAIL_BYTES}
        asked = with_query(f"{pod}/log", container=container, previous=past, **limits)
        # The kubelet of the pod's node answers, and keeps to no limit that it does not like.
        with contextlib.suppress(DeployError):
            return self._ask("GET", asked, limit=TAIL_BYTES, seconds=_LOG).decode(errors="replace")
        return ""

    def watch(self, path: str, labels: str, seconds: float) -> Watch:
        """The objects at a path as they are, then every change, for so many seconds."""
        limit = max(1, round(seconds))
        asked = with_query(path, labelSelector=labels, watch="true", timeoutSeconds=limit)
        return Watch(self._api, self._api.open("GET", asked, seconds=seconds + 5), path)

    def _loaded(self, method: str, path: str, body: Mapping[str, Any], media: str) -> Json:
        return self._api.document(self._ask(method, path, json.dumps(body).encode(), media))

    def _ask(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        media: str = "",
        limit: int = API_BYTES,
        seconds: float = WHOLE,
    ) -> bytes:
        return self._api.read(self._api.open(method, path, body, media), limit, seconds)

    def _checked(self, item: Json, path: str) -> Json:
        """An object all of whose parts that are read somewhere have the shape that they should."""
        if why := shapes.wrong(item, path):
            raise self._api.senseless(why)
        return item


class Watch:
    """A watch that goes on until its time is over, or until it is closed."""

    def __init__(self, api: Api, answer: Any, path: str) -> None:
        self._api, self._answer, self._path = api, answer, path
        self._closed = False

    def __iter__(self) -> Iterator[Event]:
        try:
            for line in self._api.lines(self._answer):
                event = self._api.document(line)
                if event.get("type") == "ERROR":
                    return  # such as "too old": whoever watches begins anew
                yield self._event(event.get("type"), event.get("object"))
        except DeployError:
            if not self._closed:
                raise

    def _event(self, type: object, about: Any) -> Event:
        if not isinstance(type, str) or not is_object(about) or "uid" not in about["metadata"]:
            raise self._api.senseless()
        if why := shapes.wrong(about, self._path):
            raise self._api.senseless(why)
        return Event(type, about)

    def close(self) -> None:
        """End it, also while another thread waits for its next line."""
        self._closed = True
        shut(self._answer)
