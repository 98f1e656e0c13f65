"""The manager against a Kubernetes that keeps objects: jobs run, stop, are tried again and end."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, update

from jobplatform.kubernetes import Away
from jobplatform.manager.homes import Share
from jobplatform.manager.loop import LEASE, LostLease, Manager
from jobplatform.manager.pods import ATTEMPT, WORKER
from jobplatform.manager.pods import JOB as JOB_LABEL
from jobplatform.model import reasons
from jobplatform.store import jobs
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import identity, job_events, leases
from tests.support.platform.kubernetes import LONG_AGO, node
from tests.support.platform.managers import GANG, POINTS, Site, an_hour_passes


@pytest.fixture
def site(database: Engine) -> Site:
    return Site(database)


def test_a_job_runs_and_finishes_and_its_objects_go(site: Site) -> None:
    number = site.submit(device="V100", devices=2)
    site.turns()
    assert site.job(number).jobStatus == "running"
    name = f"job-{number}-1-worker-0"
    assert site.cluster.running(number) == [name]
    site.cluster.end(name)
    site.turns()
    assert site.job(number).jobStatus == "finished"
    an_hour_passes(site.manager)
    site.turns(1)
    assert [one for one in site.cluster.objects if one[0] in {"pods", "services"}] == []
    assert site.told(number) == ["unapproved", "queued", "scheduling", "running", "finished"]


@pytest.mark.parametrize(
    ("code", "state", "words"),
    [(3, {}, "ended with 3"), (139, {}, "ended by signal 11"),
     (137, {"reason": "OOMKilled"}, "more memory than it asked for")],
)  # fmt: skip
def test_a_failure_of_the_users_is_told_and_not_tried_again(
    site: Site, code: int, state: dict[str, str], words: str
) -> None:
    number = site.submit()
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-0", code, **state)
    site.turns()
    assert (site.job(number).jobStatus, site.cluster.runs.total()) == ("failed", 1)
    assert words in jobs_sentence(site, number)


def jobs_sentence(site: Site, number: str) -> str:
    reason = reasons.read(site.job(number).reason)
    return reason.sentence if reason else ""


def test_a_gang_starts_whole_and_one_failure_ends_it(site: Site) -> None:
    number = site.submit(**GANG)
    site.turns()
    assert len(site.cluster.running(number)) == 2
    site.cluster.end(f"job-{number}-1-worker-1", 1)
    site.turns()
    assert (site.job(number).jobStatus, site.cluster.running(number)) == ("failed", [])


def test_stop_pause_and_resume(site: Site) -> None:
    number = site.submit()
    site.turns()
    site.ask(number, "pausing")
    site.turns()
    assert (site.job(number).jobStatus, site.cluster.running(number)) == ("paused", [])
    site.ask(number, "unapproved")
    site.turns()
    assert site.cluster.running(number) == [f"job-{number}-2-worker-0"]
    site.ask(number, "killing")
    site.turns()
    assert (site.job(number).jobStatus, site.cluster.running(number)) == ("killed", [])


def test_a_lost_node_starts_the_whole_gang_once_more_and_only_when_the_old_one_is_gone(
    site: Site,
) -> None:
    number = site.submit(**GANG)
    site.turns()
    lost = f"job-{number}-1-worker-1"
    site.cluster.delete("pods", "vc-a", lost)  # as the node controller does
    site.manager.turn()
    site.manager.turn()
    assert site.cluster.attempts(number) == {"1"}
    site.turns(4)
    assert site.job(number).attempt == 2
    assert site.cluster.running(number) == [f"job-{number}-2-worker-{i}" for i in (0, 1)]
    assert site.cluster.runs.total() == 4


def test_a_node_that_never_says_how_its_pod_ended_is_named(site: Site) -> None:
    number = site.submit(**GANG)
    site.turns()
    lost = f"job-{number}-1-worker-1"
    site.cluster.delete("pods", "vc-a", lost)
    site.manager.turn()
    site.manager.turn()
    assert "was lost" in jobs_sentence(site, number)
    site.cluster.pods()[lost]["metadata"]["deletionTimestamp"] = LONG_AGO
    site.manager.turn()
    assert jobs_sentence(site, number).startswith(
        f"Node n2 does not say whether {lost} still runs there; "
    )
    del site.cluster.nodes["n2"]  # an administrator takes it out
    site.cluster.nodes["n3"] = node("n3")
    site.turns(4)
    assert site.cluster.running(number) == [f"job-{number}-2-worker-{i}" for i in (0, 1)]


def test_a_job_that_loses_its_node_too_often_fails(site: Site) -> None:
    number = site.submit(retries=1)
    for attempt in (1, 2):
        site.turns()
        site.cluster.delete("pods", "vc-a", f"job-{number}-{attempt}-worker-0")
        site.turns()
    assert site.job(number).jobStatus == "failed"
    assert "all 2 attempts are used" in jobs_sentence(site, number)


def test_a_node_that_started_anew_costs_the_gang_an_attempt_and_is_not_the_users_failure(
    site: Site,
) -> None:
    """Whatever its kubelet says of processes that nobody waited for."""
    number = site.submit(**GANG)
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-1", 255)
    site.cluster.nodes["n2"]["status"]["nodeInfo"]["bootID"] = "second"
    site.manager.turn()
    assert (site.job(number).jobStatus, site.job(number).retries) == ("queued", 1)
    assert jobs_sentence(site, number) == ("Node n2 was lost during attempt 1; it is tried again.")
    site.turns(4)
    assert site.cluster.running(number) == [f"job-{number}-2-worker-{i}" for i in (0, 1)]
    # On the node as it is now, a failure is the user's.
    site.cluster.end(f"job-{number}-2-worker-1", 255)
    site.turns()
    assert (site.job(number).jobStatus, site.job(number).attempt) == ("failed", 2)


@pytest.mark.parametrize(
    "reason",
    ["OutOfpods", "OutOfcpu", "OutOfmemory", "OutOfnvidia.com/gpu", "NodeAffinity",
     "UnexpectedAdmissionError", ""],
)  # fmt: skip
def test_a_pod_that_a_kubelet_did_not_take_is_tried_again_and_is_not_the_users_failure(
    site: Site, reason: str
) -> None:
    number = site.submit(**GANG, retries=1)
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-0", 1)  # it did not find the other one
    site.cluster.reject(f"job-{number}-1-worker-1", reason, "Node didn't have enough resource")
    site.manager.turn()
    assert (site.job(number).jobStatus, site.job(number).retries) == ("queued", 1)
    told = f"{reason}: Node didn't have enough resource" if reason else "Node didn't have"
    assert f"did not take job-{number}-1-worker-1 ({told}" in jobs_sentence(site, number)
    site.turns(4)
    assert site.job(number).attempt == 1  # a kubelet that is full is not asked again at once
    stored = json.loads(site.job(number).placement)
    site.long_ago(number, placement=json.dumps({**stored, "not_before": 0}))
    site.turns()
    assert len(site.cluster.running(number)) == 2
    site.cluster.reject(f"job-{number}-2-worker-0", reason)
    site.turns()
    found = reasons.read(site.job(number).reason)
    assert found and (site.job(number).jobStatus, found.cause) == ("failed", "node")
    assert "all 2 attempts are used" in found.sentence


PRESSURE = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90300Ki. "
    "Container c was using 5Gi, which exceeds its request of 4Gi. "
)


def test_a_pod_that_its_node_evicted_is_tried_again_and_is_not_the_users_failure(
    site: Site,
) -> None:
    """Told as such, with the kubelet's words, whatever the rest of the gang ended with."""
    number = site.submit(**GANG, retries=1)
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-0", 1)  # it missed the other one
    site.cluster.evict(f"job-{number}-1-worker-1", PRESSURE)
    site.manager.turn()
    assert (site.job(number).jobStatus, site.job(number).retries) == ("queued", 1)
    assert jobs_sentence(site, number) == (
        f"Node n2 evicted job-{number}-1-worker-1 ({PRESSURE.strip()}); it is tried again in a "
        "minute."
    )
    site.turns(4)
    assert site.job(number).attempt == 1  # a node that is short of something is left alone a while
    stored = json.loads(site.job(number).placement)
    site.long_ago(number, placement=json.dumps({**stored, "not_before": 0}))
    site.turns()
    assert len(site.cluster.running(number)) == 2
    site.cluster.reject(f"job-{number}-2-worker-0", "Evicted", "The node had condition: [x]. ")
    site.turns()
    found = reasons.read(site.job(number).reason)
    assert found and (found.code, found.cause) == ("nodes-evicted", "node")
    assert f"evicted job-{number}-2-worker-0 (The node had condition: [x].), and all 2" in (
        found.sentence
    )


@pytest.mark.parametrize(
    "words",
    ['Usage of EmptyDir volume "shm" exceeds the limit "64Mi". ',
     "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi. ",
     'Container c exceeded its local ephemeral storage limit "1Gi". '],
)  # fmt: skip
def test_a_pod_that_is_evicted_by_its_own_limit_is_the_users_failure(
    site: Site, words: str
) -> None:
    number = site.submit(retries=1)
    site.turns()
    site.cluster.evict(f"job-{number}-1-worker-0", words)
    site.turns()
    found = reasons.read(site.job(number).reason)
    assert found and (found.code, found.cause) == ("over-limit", "user")
    assert found.sentence.endswith(f"was ended: {words.strip()}")
    assert (site.job(number).jobStatus, site.job(number).retries) == ("failed", 0)


def test_a_node_that_runs_as_many_pods_as_it_may_is_given_no_job(site: Site) -> None:
    """Also where most are somebody else's, such as those of the cluster itself."""
    site.cluster.nodes = {"n1": node("n1")}
    site.cluster.nodes["n1"]["status"]["allocatable"]["pods"] = "3"
    theirs: dict[str, Any] = {"metadata": {"name": "dns", "namespace": "kube-system"},
                              "spec": {"nodeName": "n1", "containers": [{"name": "c"}]},
                              "status": {"phase": "Running"}}  # fmt: skip
    ended = {**theirs, "metadata": {**theirs["metadata"], "name": "old", "labels": {}},
             "status": {"phase": "Succeeded"}}  # fmt: skip
    for one in (theirs, ended):
        one["metadata"].setdefault("labels", {JOB_LABEL: "", WORKER: "", ATTEMPT: ""})
        site.cluster.objects["pods", "kube-system", one["metadata"]["name"]] = one
    first, second, third = (site.submit() for _ in range(3))
    site.manager.turn()
    site.manager.turn()
    states = [site.job(one).jobStatus for one in (first, second, third)]
    assert states == ["scheduling", "scheduling", "queued"]
    assert "1 nodes run as many pods as they may" in jobs_sentence(site, third)


def test_a_job_of_an_older_manager_knows_of_no_start_of_its_nodes(site: Site) -> None:
    number = site.submit()
    site.turns()
    old = {key: value for key, value in json.loads(site.job(number).placement).items()
           if key != "boots"}  # fmt: skip
    site.long_ago(number, placement=json.dumps(old))
    site.cluster.end(f"job-{number}-1-worker-0", 3)
    site.turns()
    assert site.job(number).jobStatus == "failed"


def test_a_time_limit_ends_a_job(site: Site) -> None:
    number = site.submit(max_seconds=60)
    site.turns()
    site.long_ago(number, startedAt=1)
    site.turns()
    assert site.job(number).jobStatus == "killed"
    assert jobs_sentence(site, number) == "It reached its time limit of 60 s."


def test_a_gang_of_which_some_never_run_gives_its_devices_back(site: Site) -> None:
    number = site.submit(**GANG)
    site.manager.turn()
    site.manager.turn()
    away = site.cluster.nodes.pop("n2")  # its kubelet starts nothing
    site.cluster.start()
    site.cluster.nodes["n2"] = away
    stored = site.job(number).placement
    site.long_ago(number, placement=stored.replace('"at": ', '"at": -9'))
    site.manager.turn()
    site.cluster.stop_deleted()
    site.manager.turn()
    assert (site.job(number).jobStatus, site.cluster.running(number)) == ("queued", [])
    assert "Only 1 of 2 pods ran within 300 s" in jobs_sentence(site, number)


def test_an_image_that_cannot_be_pulled_is_told_with_the_registrys_words(site: Site) -> None:
    number = site.submit()
    site.manager.turn()
    site.manager.turn()
    waiting = {"reason": "ErrImagePull", "message": "manifest unknown"}
    (pod,) = site.cluster.pods().values()
    pod["status"]["containerStatuses"] = [{"state": {"waiting": waiting}}]
    site.manager.turn()
    assert "cannot be pulled: manifest unknown" in jobs_sentence(site, number)
    assert site.job(number).jobStatus == "scheduling"


def test_what_kubernetes_refuses_is_an_error_with_its_words(site: Site) -> None:
    number = site.submit()
    site.cluster.refusal = "exceeded quota"
    site.turns()
    assert site.job(number).jobStatus == "error"
    assert "exceeded quota" in jobs_sentence(site, number)


@pytest.mark.parametrize("numbers", [{"uid": 0}, {"gid": 0}, {"uid": 999}])
def test_no_job_runs_with_numbers_of_the_systems(site: Site, numbers: dict[str, int]) -> None:
    number = site.submit()
    with changing(site.engine) as connection:
        connection.execute(update(identity).values(numbers))
    site.turns()
    assert (site.job(number).jobStatus, site.cluster.pods()) == ("error", {})


def test_unreadable_parameters_end_that_job_and_disturb_no_other(site: Site) -> None:
    old, new = site.submit(), site.submit()
    site.long_ago(old, jobParams="gibberish")
    site.turns()
    assert [site.job(one).jobStatus for one in (old, new)] == ["error", "running"]


def test_silence_of_kubernetes_changes_nothing(site: Site) -> None:
    running, queued = site.submit(), site.submit(device="V100", devices=8, workers=2,
                                                 kind="distributed")  # fmt: skip
    site.turns()
    before = [site.job(one) for one in (running, queued)]
    site.cluster.away = True
    for _ in range(5):
        with pytest.raises(Away):
            site.manager.turn()
    site.cluster.away = False
    assert [site.job(one) for one in (running, queued)] == before


def test_unchanged_reasons_are_not_written_again(site: Site) -> None:
    number = site.submit(device="V100", devices=32)
    site.turns()
    before = site.job(number)
    site.turns()
    assert (site.job(number), "and a may have 16" in jobs_sentence(site, number)) == (before, True)


def test_jobs_of_one_reason_take_one_statement_and_those_that_changed_are_left_out(
    site: Site,
) -> None:
    numbers = [site.submit(device="V100", devices=32) for _ in range(5)]
    site.manager.turn()
    sent: list[str] = []
    event.listen(site.engine, "before_cursor_execute",
                 lambda connection, cursor, text, *rest: sent.append(text))  # fmt: skip
    site.manager.turn()
    assert sum(text.startswith("UPDATE jobs") for text in sent) == 1
    assert {jobs_sentence(site, one) for one in numbers} == {jobs_sentence(site, numbers[0])}
    seen = [site.job(one) for one in numbers[:2]]
    site.ask(numbers[0], "killing")
    with changing(site.engine) as connection:
        jobs.explain_all(connection, [(row, reasons.Reason("preempted").stored()) for row in seen])
    assert "preempted" not in (site.job(numbers[0]).reason or "")
    assert "preempted" in site.job(numbers[1]).reason


def test_borrowers_leave_for_others_and_come_back(site: Site) -> None:
    borrower = site.submit(**GANG, preemptible=True)
    site.turns()
    other = site.submit(device="V100", devices=8)
    site.turns(5)
    assert site.job(other).jobStatus == "running"
    assert (site.job(borrower).jobStatus, site.cluster.running(borrower)) == ("queued", [])
    site.cluster.end(f"job-{other}-1-worker-0")
    site.turns(4)
    assert (site.job(borrower).jobStatus, site.job(borrower).attempt) == ("running", 2)


def test_of_two_managers_one_leads(site: Site) -> None:
    second = Manager(site.engine, site.cluster, "two")
    assert [site.manager.turn(), second.turn(), site.manager.turn()] == [True, False, True]
    site.forget_lease()
    assert [second.turn(), site.manager.turn()] == [True, False]


def test_a_manager_that_ends_lets_another_lead_at_once_and_one_that_died_soon(site: Site) -> None:
    second = Manager(site.engine, site.cluster, "two")
    assert site.manager.turn() and not second.turn()
    second.resign()  # it takes no lease from another one
    assert not second.turn()
    site.manager.resign()
    assert [second.turn(), site.manager.turn()] == [True, False]
    with reading(site.engine) as connection:
        (row,) = connection.execute(leases.select())
        assert row.expires - site.manager._now() <= 9_000


class Dies(Exception):
    """The process ends here."""


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("skip", [0, 1])
def test_killed_at_any_point_nothing_is_lost_or_doubled(site: Site, point: str, skip: int) -> None:
    """A gang runs and is paused, runs again and finishes; a manager dies on the way."""
    number, left = site.submit(**GANG), [skip]

    def die(name: str) -> None:
        if name == point:
            left[0] -= 1
            if left[0] < 0:
                left[0] = 10**9
                raise Dies

    site.manager.point = die
    live(site, 4)
    site.ask(number, "pausing")
    live(site, 4)
    assert site.job(number).jobStatus == "paused"
    site.ask(number, "unapproved")
    live(site, 4)
    assert site.cluster.running(number) == [f"job-{number}-2-worker-{i}" for i in (0, 1)]
    for index in (0, 1):
        site.cluster.end(f"job-{number}-2-worker-{index}")
    for _ in range(3):
        live(site, 4)
        an_hour_passes(site.manager)
    assert left[0] > 10**8, "no manager died"
    assert site.job(number).jobStatus == "finished"
    assert set(site.cluster.runs.values()) == {2}
    assert [one for one in site.cluster.objects if one[0] in {"services", "configmaps"}] == []
    assert site.cluster.running(number) == []


def live(site: Site, turns: int) -> None:
    """Passes of a manager that another replaces where it dies."""
    for _ in range(turns):
        try:
            site.manager.turn()
        except Dies:
            site.manager = Manager(site.engine, site.cluster, "next")
            site.forget_lease()
        site.cluster.start()
        site.cluster.stop_deleted()


def sleeping(site: Site, point: str, meanwhile: Any) -> None:
    """An old leader sleeps at a point, after it looked at its lease; things happen; it wakes up."""
    slept: list[str] = []
    site.manager.turn()

    def sleep(name: str) -> None:
        if name == point and not slept:
            slept.append(name)
            site.forget_lease()
            meanwhile(Manager(site.engine, site.cluster, "new"))

    site.manager.point = sleep
    with pytest.raises(LostLease):
        site.manager.turn()
    assert slept
    site.cluster.start()  # whatever it made runs before the new leader looks again
    site.manager = Manager(site.engine, site.cluster, "new")


def test_an_old_leader_that_wakes_after_its_job_was_cleaned_up_makes_nothing(site: Site) -> None:
    number = site.submit(**GANG)

    def finish(new: Manager) -> None:
        site.manager, old = new, site.manager
        site.turns()
        for index in (0, 1):
            site.cluster.end(f"job-{number}-1-worker-{index}", finishedAt="2000-01-01T00:00:00Z")
        site.turns()
        assert site.job(number).jobStatus == "finished"
        site.manager = old

    sleeping(site, "before-create-pods", finish)
    site.turns()
    assert set(site.cluster.runs.values()) == {1}


def test_an_old_leader_that_wakes_after_a_pause_makes_no_second_worker(site: Site) -> None:
    """It slept before the first pod was made; the job was paused and runs again meanwhile."""
    number = site.submit(**GANG)

    def pause(new: Manager) -> None:
        site.manager, old = new, site.manager
        site.ask(number, "pausing")
        site.turns()
        site.ask(number, "unapproved")
        site.turns(4)
        assert len(site.cluster.running(number)) == 2
        site.manager = old

    sleeping(site, "before-create-pods", pause)
    site.turns()
    assert site.cluster.running(number) == [f"job-{number}-2-worker-{i}" for i in (0, 1)]
    assert set(site.cluster.runs.values()) == {1}


@pytest.mark.parametrize("ended", ["2000-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "x"])
def test_names_are_let_go_when_no_old_leader_can_sleep_so_long(site: Site, ended: str) -> None:
    """Whatever the clock of the node says that the pod ran on."""
    number = site.submit()
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-0", finishedAt=ended)
    site.turns()
    assert len(site.cluster.pods()) == 1
    an_hour_passes(site.manager)
    site.turns()
    assert site.cluster.pods() == {}


def test_a_manager_that_begins_anew_holds_names_for_an_hour_of_its_own(site: Site) -> None:
    number = site.submit()
    site.turns()
    site.cluster.end(f"job-{number}-1-worker-0")
    site.turns()
    site.manager = Manager(site.engine, site.cluster, "next")
    site.forget_lease()
    site.turns()
    assert len(site.cluster.pods()) == 1
    an_hour_passes(site.manager)
    site.turns()
    assert site.cluster.pods() == {}
    site.turns()
    assert site.manager.tombstones.since == {}


def test_the_lease_is_kept_by_the_databases_clock(site: Site) -> None:
    site.manager.turn()
    with changing(site.engine) as connection:
        connection.execute(update(leases).where(leases.c.name == LEASE).values(expires=1))
    with pytest.raises(LostLease):
        site.manager._check_lease()
    with reading(site.engine) as connection:
        assert connection.execute(job_events.select()).all() == []


def forged(site: Site, name: str, phase: str, space: str = "vc-a", **labels: str) -> None:
    """A pod that a node made and bound to itself, with a state of its choice."""
    meta = {"name": name, "namespace": space, "labels": labels}
    site.cluster.objects["pods", space, name] = {
        "metadata": meta, "spec": {"nodeName": "n2"}, "status": {"phase": phase}
    }  # fmt: skip


@pytest.mark.parametrize(
    "labels",
    [
        {JOB_LABEL: "x"},
        {JOB_LABEL: "x", ATTEMPT: "one", WORKER: "0"},
        {JOB_LABEL: "x", ATTEMPT: "9" * 5000, WORKER: "0"},
    ],
)
def test_a_pod_with_labels_that_make_no_sense_stops_no_job(
    site: Site, labels: dict[str, str]
) -> None:
    forged(site, "odd", "Running", **labels)
    number = site.submit()
    site.turns()
    assert site.job(number).jobStatus == "running"
    assert "delete pods odd" not in site.cluster.sent


def test_a_service_with_half_of_our_labels_stops_no_pass(site: Site) -> None:
    meta = {"name": "odd", "namespace": "x", "labels": {JOB_LABEL: site.submit()}}
    site.cluster.objects["services", "x", "odd"] = {"metadata": meta}
    assert site.manager.turn()


@pytest.mark.parametrize("space", ["vc-a", "vc-b"])
@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
def test_a_node_does_not_end_the_jobs_of_other_nodes(site: Site, space: str, phase: str) -> None:
    number = site.submit(device="V100", devices=1)
    site.turns()
    assert site.cluster.pods()[f"job-{number}-1-worker-0"]["spec"]["nodeName"] == "n1"
    ours = {JOB_LABEL: number, ATTEMPT: "1"}
    forged(site, f"job-{number}-1-worker-1", phase, space, **ours, **{WORKER: "1"})
    forged(site, "job-of-mine", phase, space, **ours, **{WORKER: "0"})
    forged(site, f"job-{number}-7-worker-0", phase, space,
           **{JOB_LABEL: number, ATTEMPT: "7", WORKER: "0"})  # fmt: skip
    site.turns()
    assert site.job(number).jobStatus == "running"
    site.cluster.end(f"job-{number}-1-worker-0")
    site.turns()
    assert site.job(number).jobStatus == "finished"


@pytest.mark.parametrize("text", ["ImpvYk5hbWUi", "W10=", "NQ==", "{", '{"jobName": 1, "envs": 5}'])
def test_a_row_that_nobody_can_read_keeps_no_other_from_running(site: Site, text: str) -> None:
    odd, good = site.submit(), site.submit()
    site.long_ago(odd, jobParams=text)
    site.turns()
    assert (site.job(odd).jobStatus, site.job(good).jobStatus) == ("error", "running")


def test_a_job_of_somebody_without_numbers_keeps_no_other_from_ending(site: Site) -> None:
    number, other = site.submit(device="V100", devices=1), site.submit(device="V100", devices=1)
    site.turns()
    with changing(site.engine) as connection:
        # Its workers were not made yet, when the person lost the numbers.
        connection.execute(identity.update().values(groups="5"))
    site.cluster.objects = {
        key: one for key, one in site.cluster.objects.items() if number not in key[2]
    }
    for job in (number, other):
        site.ask(job, "killing")
    site.turns()
    assert site.job(other).jobStatus == "killed"


@pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")
def test_a_job_has_its_directories_before_its_pods_and_waits_for_a_share_that_is_away(
    site: Site, tmp_path: Path
) -> None:
    site.manager.share = Share(tmp_path, "share", "/mntdlws/share")
    number = site.submit()
    site.turns()
    assert site.job(number).jobStatus == "scheduling" and site.cluster.pods() == {}
    found = reasons.read(site.job(number).reason)
    assert found and found.code == "share" and "not mounted" in found.sentence
    (tmp_path / "work").mkdir()
    site.turns()
    assert site.job(number).jobStatus == "running"
    (pod,) = site.cluster.pods().values()
    paths = {one["mountPath"]: one.get("subPath", "") for one in
             pod["spec"]["containers"][0]["volumeMounts"]}  # fmt: skip
    for mounted in ("/job", "/home/ann"):
        found_there = (tmp_path / paths[mounted]).stat()
        assert (found_there.st_uid, found_there.st_mode & 0o777) == (5000, 0o700)
    kinds = {kind for kind, _, _ in site.cluster.objects}
    assert {"persistentvolumes", "persistentvolumeclaims"} <= kinds


def test_a_share_that_takes_no_owners_is_told_and_keeps_nobody_else_waiting(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*words: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    site.manager.share = Share(tmp_path, "share")
    (tmp_path / "work").mkdir()
    first, second = site.submit(), site.submit()
    site.turns()
    for number in (first, second):
        found = reasons.read(site.job(number).reason)
        assert found and "Operation not permitted" in found.sentence
