"""Whatever objects an API server sends, what reads them gives a value or a DeployError."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dlws.core.errors import DeployError
from dlws.kubernetes.api import Api
from dlws.kubernetes.objects import Objects
from dlws.services import reasons
from dlws.services.compare import as_wanted, content, is_ours
from dlws.services.kinds import WORKLOADS, Kinds, built_in
from dlws.services.manifests import Object, objects
from dlws.services.rollout import Goal
from dlws.services.survey import Survey, owner
from dlws.services.waiting import belongs
from tests.support.bentobjects import GOOD, LISTED, META, ODD, SERVED, Json, places, replaced

NAMES = {"deployments": "Deployment", "daemonsets": "DaemonSet", "statefulsets": "StatefulSet",
         "jobs": "Job", "mice": "Mouse"}  # fmt: skip


class Said(Api):
    """An API server that lists one object at one path, and nothing elsewhere."""

    def __init__(self, path: str, item: object) -> None:
        self._server, self._path, self._item = "10.0.0.1", path, item

    def open(self, method: str, path: str, *more: Any, **options: Any) -> str:
        return path.partition("?")[0]

    def read(self, answer: str, *limits: Any) -> bytes:
        return json.dumps({"items": [self._item] if answer == self._path else []}).encode()


def read(path: str, item: object) -> None:
    """All that is read of an object that the API server lists at a path."""
    api = Objects(Said(path, item))
    plural = path.rpartition("/")[2]
    for live in api.list(path):
        is_ours(live, "shop")
        content(live)
        owner(live, {"o": "shop"})
        if plural == "pods":
            of_pod(api, live)
        elif plural == "events":
            reasons.warning([live, live])
        elif name := NAMES.get(plural):
            of_workload(path, name, live)
        elif kind := built_in("v1", {"services": "Service"}.get(plural, "ConfigMap")):
            survey = Survey(Objects(Said("/api/v1/configmaps", LISTED)))
            survey._keep(kind, live)
            survey.owners(["shop"])


def of_pod(api: Objects, pod: Json) -> None:
    for found in (reasons.trouble(pod), reasons.unready(pod)):
        if found:
            reasons.asked(api, pod, found)
            assert found.text()


@cache
def wish(version: str, name: str) -> Object:
    head = {"apiVersion": version, "kind": name, "metadata": {"name": "web"}}
    return objects([({**head, "spec": {"replicas": 2}}, "x")], "shop", "default", Kinds())[0]


def of_workload(path: str, name: str, live: Json) -> None:
    wanted = wish("/".join(path.split("/")[2:4]), name)
    as_wanted(wanted, live)
    for condition in ("Complete", "Available", *(["rollout"] if name in WORKLOADS else [])):
        goal = Goal("shop", wanted.key, wanted.kind, condition)
        assert goal.state(live).words
        belongs(live, goal.key)


def without(value: Json, way: tuple[Any, ...]) -> Any:
    made = copy.deepcopy(value)
    inner: Any = made
    for key in way[:-1]:
        inner = inner[key]
    del inner[way[-1]]
    return made


def in_words(read: Callable[[], object]) -> None:
    """It reads, or says in words of a sensible length why not."""
    try:
        read()
    except DeployError as error:
        assert error.message and len(error.message) < 20_000


@pytest.mark.parametrize("path", list(GOOD))
def test_any_part_of_an_object_may_be_another_or_missing(path: str) -> None:
    good = GOOD[path]
    read(path, good)
    for way in places(good):
        bent = [replaced(good, way, odd) for odd in ODD if way]
        for item in [*bent, *([without(good, way)] if way else [])]:
            in_words(partial(read, path, item))


@pytest.mark.parametrize("path", list(GOOD))
@settings(deadline=None, max_examples=25, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_several_parts_at_once(path: str, data: st.DataObject) -> None:
    item: Any = GOOD[path]
    for _ in range(data.draw(st.integers(1, 4))):
        way = data.draw(st.sampled_from([*places(item)][1:] or [()]))
        if way:
            item = replaced(item, way, data.draw(st.sampled_from(ODD)))
    in_words(lambda: read(path, item))


def test_kinds_that_an_api_server_serves() -> None:
    for way in places(SERVED):
        for odd in ODD:
            item = replaced(SERVED, way, odd)
            kinds = Kinds(lambda _, item=item: item if isinstance(item, dict) else {})  # type: ignore[misc]
            in_words(partial(kinds.of, "e.org/v1", "Mouse"))


def test_what_a_kind_says_of_itself_does_not_decide_how_it_is_read() -> None:
    """An object at the path of pods is read as one."""
    item = {"kind": "Mouse", "metadata": META, "status": {"phase": 3}}
    with pytest.raises(DeployError, match=r"status\.phase is not what it should be"):
        Objects(Said("/api/v1/pods", item)).list("/api/v1/pods")
