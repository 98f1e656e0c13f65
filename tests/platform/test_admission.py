"""The admission's decisions, one by one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobplatform.admission import Amount, Decision, Job, Node, Snapshot, Vc, decide

EACH = Amount(1, 1000, 1024, 1)


def node(name: str, devices: int = 8, device: str = "V100", pods: int = 110, **more: Any) -> Node:
    return Node(name, device, Amount(devices, 32_000, 65_536, pods), **more)


def job(name: str, devices: int = 1, workers: int = 1, **more: Any) -> Job:
    given: dict[str, Any] = {"user": "ann", "vc": "a", "state": "queued", "device": "V100", **more}
    if not devices:
        given["device"] = ""
    return Job(name, each=replace(EACH, devices=devices), workers=workers, **given)


def placed(name: str, devices: int, *nodes: str, **more: Any) -> Job:
    return job(name, devices, len(nodes), **{"state": "placed", "nodes": nodes, **more})


def said(*parts: Job | Node | Vc, now: int = 0) -> dict[str, Decision]:
    return {one.job: one for one in decide(snapshot(*parts, now=now))}


def snapshot(*parts: Job | Node | Vc, now: int = 0) -> Snapshot:
    vcs = {one.name: one for one in parts if isinstance(one, Vc)} or {"a": Vc("a", {"V100": 100})}
    return Snapshot(now, tuple(one for one in parts if isinstance(one, Job)), vcs,
                    tuple(one for one in parts if isinstance(one, Node)))  # fmt: skip


def sentence(found: Decision) -> str:
    assert found.reason
    return found.reason.sentence


def test_a_job_starts_on_the_node_that_it_fills_best() -> None:
    found = said(node("n1"), node("n2", 2), job("j", 2))
    assert found["j"] == Decision("j", "start", ("n2",))


def test_a_gang_takes_few_nodes_and_stays_within_a_rack() -> None:
    racks = [node(f"n{i}", 4, rack="r1" if i < 3 else "r2") for i in range(1, 7)]
    part = placed("x", 1, "n4")
    assert said(*racks, part, job("j", 4, 3))["j"].nodes == ("n3", "n5", "n6")
    assert said(*racks, job("j", 4, 2))["j"].nodes == ("n1", "n2")
    assert set(said(*racks, part, job("j", 4, 5))["j"].nodes) == {"n1", "n2", "n3", "n5", "n6"}
    assert said(*racks, job("j", 2, 2))["j"].nodes == ("n1", "n1")


def test_of_jobs_of_one_moment_the_one_that_came_first_is_first() -> None:
    """Their ids, which are chance, decided."""
    two = (job("b", 8, number=1), job("a", 8, number=2))
    found = said(node("n1"), *two)
    assert (found["b"].verb, found["a"].verb) == ("start", "wait")
    waiting = [replace(one, state="unapproved") for one in two]
    found = said(node("n1"), *waiting, Vc("a", {"V100": 100}, user_quota=8))
    assert (found["b"].verb, found["a"].verb) == ("approve", "wait")
    borrowers = (placed("b", 8, "n1", preemptible=True, number=1),
                 placed("a", 8, "n2", preemptible=True, number=2))  # fmt: skip
    assert said(node("n1"), node("n2"), *borrowers, job("j", 8))["a"].verb == "preempt"


def test_a_node_runs_no_more_pods_than_it_may() -> None:
    """Whatever else is free there; pods that are no jobs of ours count as well."""
    daemons = Amount(pods=3)
    full = node("n", pods=4, taken=daemons)
    found = said(full, placed("x", 1, "n"), node("m", 1), job("j"))
    assert found["j"].nodes == ("m",)
    found = said(node("n", pods=5, taken=daemons), job("j", 1, 2), job("k", since=1))
    assert (found["j"].nodes, found["k"].verb) == (("n", "n"), "wait")


def test_borrowers_make_room_where_pods_are_what_is_missing() -> None:
    jobs = [
        placed("old", 1, "n", preemptible=True),
        placed("new", 1, "n", preemptible=True, since=1),
    ]
    found = said(node("n", pods=2), *jobs, job("j", 1))
    assert {name for name, one in found.items() if one.verb == "preempt"} == {"new"}


def test_jobs_without_devices_leave_the_devices_nodes_alone() -> None:
    plain = Node("p", "", Amount(0, 4000, 65_536, 110))
    found = said(node("n1"), plain, job("j", 0), job("k", 0))
    assert [found["j"].nodes, found["k"].nodes] == [("p",), ("p",)]


@pytest.mark.parametrize(
    ("parts", "code", "text"),
    [
        ((node("n", 4), job("j", 8)), "never-fits", "8 V100, 1 processors"),
        ((node("n", device="A100"), job("j")), "no-such-device", "V100"),
        ((node("n"), job("j", 4, 50)), "over-quota", "needs 200 V100, and a may have 100"),
        ((node("n", 8), placed("x", 6, "n"), job("j", 4)), "cluster-full", "4 V100 are needed, 2"),
        ((node("n"), node("m"), placed("x", 3, "n"), placed("y", 4, "m"), job("j", 8)),
         "fragmented", "9 V100 are free, but the nodes have room for 0 of 1 workers (8 V100"),
        ((node("n", ready=False), job("j")), "nodes-out", "1 nodes that have more are out"),
        ((node("n"), Vc("a", {"V100": 4}), placed("x", 3, "n"), job("j", 2)),
         "vc-quota", "a uses 3 of its 4 V100; this job needs 2."),
        ((node("n"), Vc("a", {"V100": 8, "cpu": 500}), job("j", 2)), "over-quota",
         "needs 1 processors, and a may have 0.5"),
        ((node("n"), job("j", vc="gone")), "over-quota", "gone may have 0"),
        ((node("n", pods=2), node("m", pods=5), placed("x", 1, "n", "n"), placed("y", 4, "m", "m"),
          job("j", 2)), "pods-full", "2 V100 are needed and 6 are free, but 1 nodes run as many"),
        ((node("n", pods=2), node("m", pods=1), job("j", 1, 4)), "too-many-pods",
         "4 workers never fit: the nodes run at most 3 of them at a time"),
    ],
)  # fmt: skip
def test_the_reason_has_numbers(parts: tuple[Any, ...], code: str, text: str) -> None:
    found = said(*parts)["j"]
    assert (found.verb, found.reason and found.reason.code) == ("wait", code)
    assert text in sentence(found)


def test_priority_then_share_then_time() -> None:
    jobs = [job("low", since=1), job("bob", user="bob", since=9), job("new", since=5),
            job("old", since=2), job("high", since=99, priority=200)]  # fmt: skip
    order = [one.job for one in decide(snapshot(node("n"), *jobs))]
    assert order == ["high", "bob", "low", "old", "new"]


def test_in_a_fifo_cluster_the_head_holds_up_the_rest_but_not_a_hopeless_one() -> None:
    vc = Vc("a", {"V100": 8}, fifo=True)
    jobs = [job("never", 16, since=1), job("big", 8, since=2), job("small", since=3)]
    found = said(vc, node("n"), placed("x", 1, "n"), *jobs)
    assert [sentence(found["small"])] == ["It waits behind job big, which comes first in a."]
    assert said(replace(vc, fifo=False), node("n"), placed("x", 1, "n"), *jobs)["small"].nodes
    assert said(vc, node("n", pods=1), job("many", 1, 2, since=1), job("small"))["small"].nodes


def test_a_user_over_the_users_quota_waits_for_an_administrator() -> None:
    vc = Vc("a", {"V100": 8}, user_quota=2)
    jobs = [placed("x", 1, "n"), job("j", 1, state="unapproved", since=1),
            job("k", 1, state="unapproved", since=2),
            job("p", 4, state="unapproved", preemptible=True)]  # fmt: skip
    found = said(vc, node("n"), *jobs)
    assert {name: found[name].verb for name in "jkp"} == {"j": "approve", "k": "wait",
                                                          "p": "approve"}  # fmt: skip
    assert sentence(found["k"]).startswith("You use 2 of the 2 devices")


def test_what_a_person_approved_is_not_asked_again() -> None:
    assert said(Vc("a", {"V100": 8}, user_quota=0), node("n"), job("j", 2))["j"].verb == "start"


def test_borrowers_make_room_newest_first_and_no_more_than_needed() -> None:
    jobs = [placed("old", 4, "n", preemptible=True, since=1),
            placed("new", 2, "n", preemptible=True, since=2),
            placed("newest", 2, "n", preemptible=True, since=3)]  # fmt: skip
    found = said(node("n"), *jobs, job("j", 4))
    assert {name for name, one in found.items() if one.verb == "preempt"} == {"new", "newest"}
    assert sentence(found["j"]) == "Room is being made for it: 2 jobs are ending."
    assert "newest" not in said(node("n"), *jobs, job("j", 4, preemptible=True))


def test_room_that_is_being_made_is_kept_for_whom_it_is_made() -> None:
    leaving = placed("v", 4, "n", state="leaving", preemptible=True)
    jobs = [job("j", 4, priority=200), job("k", 4)]
    found = said(node("n", 4), leaving, *jobs)
    assert (found["j"].reason and found["j"].reason.code) == "preempting"
    assert (found["k"].verb, found["k"].reason and found["k"].reason.code) == (
        "wait", "cluster-full",
    )  # fmt: skip
    assert [one for one in found.values() if one.verb == "preempt"] == []


def test_a_big_job_that_has_waited_long_has_room_kept_for_it() -> None:
    parts = (node("n"), node("m"), placed("x", 4, "n"), placed("y", 8, "m"))
    jobs = [job("big", 8, since=0), job("small", 4, since=1)]
    assert said(*parts, *jobs, now=1000)["small"].verb == "start"
    assert said(*parts, *jobs, now=10**8)["small"].verb == "wait"
    assert said(*parts, *jobs, node("o", 4), now=10**8)["small"].nodes == ("o",)
