"""What the manager is shown of Kubernetes: how it is kept up to date, and what is done by it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from jobplatform.kubernetes import Away, Gone, Object
from jobplatform.manager import loop, picture
from jobplatform.manager.homes import Share
from jobplatform.manager.picture import KINDS, Kind, Picture, Shown
from jobplatform.manager.pods import JOB as JOB_LABEL
from jobplatform.manager.world import build
from jobplatform.store import jobs
from jobplatform.store.database import reading
from tests.support.platform.managers import GANG, Site


class Asked(Site):
    """A site whose manager is shown the cluster; `lists` has which kinds it asked for."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self.lists: list[str] = []
        self.manager.kubernetes = self  # type: ignore[assignment]
        self.manager.picture = self.cluster.shown
        for name in ("create", "delete", "release"):
            setattr(self, name, getattr(self.cluster, name))

    def all(self, kind: str, selector: str = "") -> list[Object]:
        self.lists.append(kind)
        return self.cluster.all(kind, selector)

    def listed(self) -> list[str]:
        found, self.lists = self.lists, []
        return found


@pytest.fixture
def site(database: Engine) -> Asked:
    return Asked(database)


def test_where_nothing_happens_kubernetes_is_asked_for_nothing(site: Asked) -> None:
    running, waiting = site.submit(**GANG), site.submit(device="V100", devices=9)
    site.turns(4)
    assert [site.job(one).jobStatus for one in (running, waiting)] == ["running", "queued"]
    site.listed()
    site.cluster.sent.clear()
    for _ in range(20):
        assert site.manager.turn()
    assert (site.listed(), site.cluster.sent) == ([], [])


def test_what_is_done_was_decided_by_lists(site: Asked) -> None:
    """However old the picture is: a worker that it does not show is no worker that is lost."""
    number = site.submit(**GANG)
    before = site.cluster.shown()
    site.turns()
    site.listed()
    site.manager.picture = lambda: before
    for _ in range(3):
        site.turns(1)
        assert site.listed()[:4] == list(KINDS)
    assert (site.job(number).jobStatus, site.job(number).attempt) == ("running", 1)


def test_after_something_was_done_lists_are_asked_for_at_once(site: Asked) -> None:
    """What was done is seldom done alone, and the picture may not have it yet."""
    site.submit()
    glances: list[int] = []

    def shown() -> Shown:
        glances.append(1)
        return site.cluster.shown()

    site.turns(4)
    site.manager.picture = shown
    site.submit()
    told = []
    for _ in range(6):
        glances.clear()
        site.listed()
        site.turns(1)
        told.append((len(glances), bool(site.listed())))
    # It is found; approved, started and told to run; looked at once more; and left alone.
    assert told == [(1, True), (0, True), (0, True), (0, True), (1, False), (1, False)]


def test_one_that_is_not_kept_up_to_date_is_not_looked_at(site: Asked) -> None:
    site.turns()
    site.listed()
    site.manager.picture = lambda: None
    site.turns(1)
    assert site.listed() == list(KINDS)


def test_lists_are_asked_for_now_and_then_in_case_a_watch_is_silent(
    site: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = site.submit()
    site.turns(4)
    before = site.cluster.shown()
    site.manager.picture = lambda: before
    site.cluster.end(f"job-{number}-1-worker-0")
    site.listed()
    site.turns(1)
    assert (site.job(number).jobStatus, site.listed()) == ("running", [])
    site.manager.listed -= loop.LISTED
    site.turns(1)
    assert site.job(number).jobStatus == "finished"


def test_lists_that_failed_are_asked_for_in_the_next_pass_again(site: Asked) -> None:
    site.turns()
    site.manager.listed -= loop.LISTED
    shown = site.cluster.shown()
    site.manager.picture = lambda: shown  # it hangs, and no watch knows
    site.cluster.away = True
    for _ in range(2):
        with pytest.raises(Away):
            site.manager.turn()
    site.cluster.away = False
    assert site.manager.turn()


def test_why_a_job_waits_is_told_without_lists(site: Asked) -> None:
    first, second = site.submit(**GANG), site.submit(**GANG)
    site.turns(4)
    site.listed()
    site.long_ago(second, reason=None)
    site.turns(1)
    assert "vc-quota" in site.job(second).reason and site.listed() == []
    assert site.job(first).jobStatus == "running"


def test_a_row_that_cannot_be_read_is_ended_by_lists(site: Asked) -> None:
    number = site.submit()
    site.turns(4)
    site.listed()
    site.long_ago(number, jobParams="{")
    site.cluster.away = True
    with pytest.raises(Away):
        site.manager.turn()
    assert site.job(number).jobStatus == "running"
    site.cluster.away = False
    site.turns(1)
    assert site.job(number).jobStatus == "error"


def test_that_a_gang_has_ended_is_told_by_lists(site: Asked) -> None:
    number = site.submit(**GANG)
    site.turns(4)
    site.cluster.delete("pods", "vc-a", f"job-{number}-1-worker-1")
    for _ in range(4):
        site.manager.turn()
    site.listed()
    site.manager.turn()
    assert (site.job(number).jobStatus, site.listed()) == ("queued", [])
    assert json.loads(site.job(number).placement)["draining"]
    site.cluster.stop_deleted()
    site.manager.turn()
    assert site.listed()[:4] == list(KINDS)
    assert not json.loads(site.job(number).placement)["draining"]


def test_no_directory_is_made_by_what_a_picture_shows(site: Asked, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    number = site.submit()
    site.turns(4)
    site.manager.share = Share(tmp_path, "share")
    without = {**site.cluster.shown(), "pods": []}
    site.manager.picture = lambda: without
    site.long_ago(number, jobStatus="scheduling")
    site.cluster.away = True
    with pytest.raises(Away):  # there a list is asked for: the pod is missed
        site.manager.turn()
    assert list((tmp_path / "work").iterdir()) == []


# How it is kept up to date.


class Told:
    """An API server that answers with what stands in `answers`, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), list[str]()

    def listed(self, kind: str, selector: str) -> tuple[list[Object], str]:
        self.asked.append("list")
        found: tuple[list[Object], str] = self._next()
        return found

    def changes(self, kind: str, selector: str, version: str) -> Iterator[Object]:
        self.asked.append(f"watch {version}")
        return iter(self._next())

    def _next(self) -> Any:
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def pod(name: str, version: int, **labels: str) -> Object:
    return {"metadata": {"name": name, "namespace": "a", "resourceVersion": str(version),
                         "labels": labels}}  # fmt: skip


def change(what: str, name: str, version: int, **labels: str) -> Object:
    return {"type": what, "object": pod(name, version, **labels)}


class Clock:
    """Time that goes on by so many seconds whenever somebody looks."""

    def __init__(self, step: float) -> None:
        self.now, self.step = 0.0, step

    def monotonic(self) -> float:
        self.now += self.step
        return self.now


@pytest.fixture
def minutes(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(60)
    monkeypatch.setattr(picture, "time", made)
    return made


def kind(*answers: Any, rings: list[int] | None = None) -> tuple[Kind, Told]:
    told = Told(*answers)
    return Kind(told, "pods", "", lambda: rings.append(1) if rings is not None else None), told


@pytest.mark.usefixtures("minutes")
def test_changes_are_heard_of_from_the_list_on_and_from_the_last_one_afterwards() -> None:
    rings: list[int] = []
    changes = [change("ADDED", "c", 11), change("MODIFIED", "a", 12, **{JOB_LABEL: "1"}),
               change("DELETED", "b", 13), change("BOOKMARK", "", 20)]  # fmt: skip
    one, told = kind(([pod("a", 1), pod("b", 2)], "10"), changes, [], rings=rings)
    assert not one.current
    assert (one.hear(), one.hear()) == (0, 0)
    assert told.asked == ["list", "watch 10", "watch 20"]
    assert sorted(one.objects) == [("a", "a"), ("a", "c")] and one.current
    assert len(rings) == 2  # the list, and the pod of a job


@pytest.mark.usefixtures("minutes")
def test_after_a_failure_it_goes_on_from_where_it_was_and_rests_longer_each_time() -> None:
    one, told = kind(
        ([pod("a", 1)], "10"), [change("ADDED", "b", 11)], *[Away("no answer")] * 7, []
    )
    pause = one.hear()
    pauses = []
    for _ in range(7):
        pause = one.hear(pause)
        pauses.append(pause)
        assert not one.current
    assert pauses == [1, 2, 4, 8, 16, 30, 30]
    assert one.hear(pause) == 0 and one.current
    assert told.asked == ["list", "watch 10", *["watch 11"] * 8]


@pytest.mark.usefixtures("minutes")
@pytest.mark.parametrize("error", [Gone("too old"), KeyError("metadata")])
def test_a_version_that_is_forgotten_and_what_makes_no_sense_need_another_list(
    error: Exception,
) -> None:
    one, told = kind(([pod("a", 1)], "10"), error, ([pod("b", 1)], "50"), [])
    pause = one.hear()
    assert (pause, one.current) == (1, False)
    assert one.hear(pause) == 0
    assert told.asked == ["list", "watch 10", "list", "watch 50"]
    assert list(one.objects) == [("a", "b")] and one.current


def test_a_watch_that_ends_at_once_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture, "time", Clock(0.1))
    one, _ = kind(([], "10"), [], [])
    assert (one.hear(), one.current) == (1, False)
    assert (one.hear(1), one.current) == (2, False)


@pytest.mark.usefixtures("minutes")
def test_nothing_is_shown_until_all_kinds_are_watched(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[Any] = [([pod("a", 1)], "10"), []] * len(KINDS)
    made = Picture(Told(*answers, Away("no answer"), []))
    for one in made.kinds.values():
        assert made.seen() is None
        one.hear()
    shown = made.seen()
    assert shown is not None and [len(shown[kind]) for kind in KINDS] == [1] * 4
    with caplog.at_level(logging.WARNING):
        made.kinds["nodes"].hear()
    assert made.seen() is None and "nodes are not watched now: no answer" in caplog.text
    made.kinds["nodes"].hear()
    assert made.seen() is not None


def test_the_slim_objects_make_the_same_world(site: Asked) -> None:
    """Of whatever befell pods and nodes: nothing that a pass looks at is left out."""
    number = site.submit(**GANG)
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-0", 137, reason="OOMKilled")
    site.cluster.evict(f"job-{number}-1-worker-1", "The node was low on resource: memory.")
    site.cluster.delete("pods", "vc-a", f"job-{number}-1-worker-1")
    other = site.submit()
    site.turns(2)
    site.cluster.pods()[f"job-{other}-1-worker-0"]["metadata"]["annotations"] = {
        "ascend.kubectl.kubernetes.io/ascend-910-configuration": '{"devices": []}'
    }
    node = site.cluster.nodes["n2"]
    node["spec"] = {"taints": [{"key": "node.kubernetes.io/out-of-service", "effect": "NoExecute"}],
                    "unschedulable": True}  # fmt: skip
    full = site.cluster.shown()
    slim = {kind: [picture._slim(one) for one in found] for kind, found in full.items()}
    assert slim != full
    assert seen_as(site, slim) == seen_as(site, full)


def seen_as(site: Site, shown: Shown) -> Any:
    with reading(site.engine) as connection:
        rows = jobs.live(connection)
    others = [(kind, one["metadata"]["name"]) for kind in loop.OTHERS for one in shown[kind]]
    world = build(0, rows, {}, shown["pods"], shown["nodes"])
    return world.live, world.strays, world.nodes, world.resources, world.boots, others
