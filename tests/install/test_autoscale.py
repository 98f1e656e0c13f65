"""Workers by the work there is, on a local Azure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from dlws.cli.az import az
from dlws.database import client as database
from dlws.install import autoscale, elastic
from dlws.kubernetes import objects, scheduling
from tests.support.arm.arm import Answer, Asked
from tests.support.arm.cluster import Site
from tests.support.arm.world import VM
from tests.support.clusters import names_of
from tests.support.kubeobjects import FakeKube
from tests.support.oddtexts import ODD, SHOWN, bent
from tests.support.terminals import command_on_a_terminal, told

PODS, NODES, DEPLOYMENTS = "/api/v1/pods", "/api/v1/nodes", "/apis/apps/v1/deployments"
WORKERS = ["atlas-worker01", "atlas-worker02"]
HAS = {"cpu": "4", "memory": "16Gi", "nvidia.com/gpu": "1"}
UNPLACED = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]


def node(name: str, **spec: Any) -> dict[str, Any]:
    ready = [{"type": "Ready", "status": "True"}]
    return {"metadata": {"name": name}, "spec": spec,
            "status": {"allocatable": HAS, "conditions": ready}}  # fmt: skip


def pod(name: str, on: str = "", gpus: int = 1) -> dict[str, Any]:
    container = {"name": "c", "resources": {"limits": {"nvidia.com/gpu": gpus}}}
    status = {"phase": "Running"} if on else {"phase": "Pending", "conditions": UNPLACED}
    return {"metadata": {"name": name, "namespace": "vc-a"}, "status": status,
            "spec": {"containers": [container], **({"nodeName": on} if on else {})}}  # fmt: skip


Done = list[tuple[str, str]]


@pytest.fixture
def kube(monkeypatch: pytest.MonkeyPatch) -> FakeKube:
    found = FakeKube()
    found.lists = {PODS: [], NODES: [node(name) for name in WORKERS], DEPLOYMENTS: []}
    monkeypatch.setattr(objects, "connect", found.connect())
    return found


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> Done:
    found: Done = []

    def on(name: str) -> Any:
        def note(cluster: Any, chosen: Sequence[Any]) -> None:
            found.append((name, names_of(list(chosen))))

        return note

    monkeypatch.setattr(scheduling, "cordon", on("cordon"))
    monkeypatch.setattr(scheduling, "uncordon", on("uncordon"))
    monkeypatch.setattr(elastic, "bring_in", lambda _, names: found.append(("in", " ".join(names))))
    return found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [1e9]
    monkeypatch.setattr(autoscale, "_now", lambda: now[0])

    def pass_on(seconds: float) -> None:
        now[0] += seconds

    return pass_on


@pytest.fixture
def made(site: Site, kube: FakeKube, done: Done, clock: Callable[[float], None]) -> Site:
    """Two workers in a running cluster, of which one may stay and four may be."""
    scale = "autoscale: {min_workers: 1, max_workers: 4}"
    site.change("subscription: test", f"subscription: test, {scale}")
    site("create")
    site("genconfig")
    (site.directory / "deploy/sshkey/admin.conf").write_text("x")
    site.arm.asked.clear()
    return site


def powers(site: Site) -> dict[str, str]:
    return {one["name"]: one["power"] for one in site.arm.world.of(VM) if "worker" in one["name"]}


def test_work_that_waits_brings_a_worker_into_the_cluster(
    made: Site, kube: FakeKube, done: Done, clock: Callable[[float], None]
) -> None:
    kube.lists[PODS] = [pod(f"j{n}", on) for n, on in enumerate([*WORKERS, "", ""])]
    assert "2 at work, 2 pods wait: 2 more" in made("--dry-run", "autoscale", "run").stderr
    assert made.arm.wrote() == [] and done == []
    assert not (made.directory / "deploy/autoscale.json").exists()
    made("autoscale", "run")
    assert sorted(powers(made)) == [*WORKERS, "atlas-worker03", "atlas-worker04"]
    assert done == [("in", "atlas-worker03 atlas-worker04")]
    made.arm.asked.clear()
    kube.lists[PODS] += [pod("more")] * 3
    kube.lists[NODES] += [node(name) for name in ("atlas-worker03", "atlas-worker04")]
    clock(700)
    assert "max_workers is 4" not in made("autoscale", "status").stderr
    made("autoscale", "run")
    assert made.arm.wrote() == [], "it keeps to max_workers"


def test_an_idle_worker_is_given_back_after_its_time_and_comes_back_first(
    made: Site, kube: FakeKube, done: Done, clock: Callable[[float], None]
) -> None:
    kube.lists[PODS] = [pod("j", "atlas-worker01")]
    made("autoscale", "run")
    clock(599)
    made("autoscale", "run")
    assert made.arm.wrote() == []
    clock(1)
    assert "1 idle" in made("--dry-run", "autoscale", "run").stderr
    assert made.arm.wrote() == []
    done.clear()
    made("autoscale", "run")
    assert powers(made) == {"atlas-worker01": "running", "atlas-worker02": "deallocated"}
    assert done == [("cordon", "atlas-worker02")]
    kube.lists[PODS] += [pod("next")]
    assert "cooling down for 600 s more" in made("autoscale", "run").stderr
    clock(600)
    made("autoscale", "run")
    assert powers(made) == dict.fromkeys(WORKERS, "running"), "and no new one is made"
    assert done[-1] == ("uncordon", "atlas-worker02")


def test_work_that_comes_while_a_worker_is_cordoned_keeps_it(
    made: Site, kube: FakeKube, done: Done, clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    kube.lists[PODS] = [pod("j", "atlas-worker01")]
    made("autoscale", "run")
    clock(600)
    note = scheduling.cordon

    def cordon(cluster: Any, nodes: Any) -> None:
        note(cluster, nodes)
        kube.lists[PODS] += [pod("late", "atlas-worker02")]

    monkeypatch.setattr(scheduling, "cordon", cordon)
    assert "they stay: atlas-worker02" in made("autoscale", "run").stderr
    assert done == [("cordon", "atlas-worker02"), ("uncordon", "atlas-worker02")]
    assert made.arm.wrote() == [] and set(powers(made).values()) == {"running"}


def test_a_worker_that_azure_does_not_take_back_takes_work_again(
    made: Site, kube: FakeKube, done: Done, clock: Callable[[float], None]
) -> None:
    def refuse(asked: Asked) -> Answer | None:
        if asked.path.endswith("/deallocate"):
            return Answer(409, {"error": {"code": "OperationNotAllowed", "message": "locked"}})
        return None

    kube.lists[PODS] = [pod("j", "atlas-worker01")]
    made("autoscale", "run")
    clock(600)
    made.arm.faults.append(refuse)
    made("autoscale", "run", code=3)
    assert done == [("cordon", "atlas-worker02"), ("uncordon", "atlas-worker02")]


def test_one_that_somebody_holds_or_that_is_not_up_is_left_alone(
    made: Site, kube: FakeKube, clock: Callable[[float], None]
) -> None:
    kube.lists[NODES] = [node(WORKERS[0], unschedulable=True)]
    made("autoscale", "run")
    clock(5000)
    made("autoscale", "run")
    assert made.arm.wrote() == []
    rows = json.loads(made("autoscale", "status", "--output", "json").stdout)["workers"]
    shown = {row["name"]: (row["ready"], row["devices"]) for row in rows}
    assert shown == {WORKERS[0]: (False, 0), WORKERS[1]: (False, 1)}


def test_jobs_that_the_platform_queues_count(
    made: Site, kube: FakeKube, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = json.dumps({"devices": 1, "cpu_millis": 500, "memory_mib": 64, "workers": 3})

    class Database:
        def column(self, sql: str, *_: object) -> list[str]:
            assert "FROM jobs WHERE jobStatus = 'queued'" in sql
            return [asked, "nonsense"]

    @contextmanager
    def opened(cluster: object) -> Iterator[Database]:
        yield Database()

    monkeypatch.setattr(database, "opened", opened)
    assert "0 pods wait" in made("autoscale", "status").stdout
    kube.lists[DEPLOYMENTS] = [{"metadata": {"name": "jobmanager2", "namespace": "default"}}]
    told = made("autoscale", "status")
    said = told.stdout
    assert "a queued job is not counted" in told.stderr
    assert "2 at work, 3 pods wait: 1 more" in said and "atlas-worker01  True" in said


def test_without_its_section_it_says_what_to_write(site: Site) -> None:
    done = site("autoscale", "run", code=2)
    assert "add it: autoscale: {min_workers: 0, max_workers: 10}" in done.stderr


def test_what_it_remembers_may_be_lost(made: Site) -> None:
    (made.directory / "deploy/autoscale.json").write_text("{}")
    assert "delete it: idle workers count anew" in made("autoscale", "status", code=2).stderr


@pytest.mark.parametrize("words", [("status",), ("status", "--output", "json"), ("run",)])
def test_names_of_the_api_server_and_of_azure_reach_a_terminal_as_text(
    made: Site, kube: FakeKube, words: tuple[str, ...]
) -> None:
    def fault(asked: Asked) -> Answer:
        answer = made.arm._answer(asked)
        return Answer(answer.status, bent(answer.body, "name"), answer.headers)

    kube.lists |= {NODES: [node(ODD)], PODS: [pod(ODD, ODD), pod(ODD)]}
    show = ("--dir", str(made.directory), "autoscale", *words)
    assert told(command_on_a_terminal(az, *show))
    made.arm.faults = [fault]
    assert (SHOWN in told(command_on_a_terminal(az, *show))) == (words == ("status",))
