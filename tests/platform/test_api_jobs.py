"""Jobs over the API: who may do what, and that each change is written down."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import select

from jobplatform.model import request
from jobplatform.store import jobs
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import job_events
from jobplatform.store.tables import jobs as table
from tests.support.platform.clients import JOB, NASTY, Api


def test_a_job_is_submitted_listed_shown_and_stopped(api: Api) -> None:
    number = api.submit(env={"A": "1"})
    page = api("ann", "GET", "/api/v1/jobs").json()
    assert [one["id"] for one in page["jobs"]] == [number]
    shown = api("ann", "GET", f"/api/v1/jobs/{number}").json()
    assert (shown["status"], shown["request"]["env"]) == ("unapproved", {"A": "1"})
    assert api("ann", "POST", f"/api/v1/jobs/{number}/stop").json() == {"status": "killing"}
    told = api("ann", "GET", f"/api/v1/jobs/{number}/events").json()
    assert [(one["actor"], one["status"]) for one in told] == [("ann", "unapproved"),
                                                               ("ann", "killing")]  # fmt: skip
    assert told[1]["reason"]["sentence"] == "ann stopped it."


def test_stopping_twice_is_once_and_an_ended_job_cannot_be_stopped(api: Api) -> None:
    number = api.submit()
    for _ in range(2):
        assert api("ann", "POST", f"/api/v1/jobs/{number}/stop").status_code == 200
    with changing(api.engine) as connection:
        found = jobs.find(connection, number)
        assert found is not None and jobs.move(connection, found, "killed", "manager")
        assert not jobs.move(connection, found, "running", "an old manager")
    assert api("ann", "POST", f"/api/v1/jobs/{number}/stop").status_code == 409
    with reading(api.engine) as connection:
        assert connection.execute(select(table.c.jobStatus)).scalar_one() == "killed"
        assert len(connection.execute(select(job_events)).all()) == 3


@pytest.mark.parametrize(
    ("who", "seen", "stopped", "approved"),
    [("", 401, 401, 401), ("bob", 404, 404, 404), ("peer", 200, 403, 403), ("ann", 200, 200, 403),
     ("boss", 200, 200, 200), ("root", 200, 200, 200)],
)  # fmt: skip
def test_who_may_see_stop_and_approve(
    api: Api, who: str, seen: int, stopped: int, approved: int
) -> None:
    number = api.submit()
    assert api(who, "GET", f"/api/v1/jobs/{number}").status_code == seen
    assert api(who, "GET", f"/api/v1/jobs/{number}/events").status_code == seen
    assert api(who, "POST", f"/api/v1/jobs/{number}/approve").status_code == approved
    assert api(who, "POST", f"/api/v1/jobs/{number}/stop").status_code == stopped


def test_lists_show_what_one_may_see(api: Api) -> None:
    mine, boss = api.submit(), api.submit("boss")
    elsewhere = api.submit("bob", vc="b")

    def listed(who: str, query: str = "") -> set[str]:
        answer = api(who, "GET", f"/api/v1/jobs{query}").json()
        return {one["id"] for one in answer["jobs"]}

    assert listed("ann") == {mine}
    assert listed("peer") == {mine, boss}
    assert listed("root") == {mine, boss, elsewhere}
    assert listed("boss", "?mine=true") == {boss}
    assert listed("root", "?vc=b") == {elsewhere}
    assert api("ann", "GET", "/api/v1/jobs?vc=b").status_code == 403


def test_pages_follow_each_other(api: Api) -> None:
    numbers = [api.submit() for _ in range(3)]
    first = api("ann", "GET", "/api/v1/jobs?limit=2").json()
    second = api("ann", "GET", f"/api/v1/jobs?limit=2&before={first['next']}").json()
    assert [one["id"] for one in first["jobs"] + second["jobs"]] == numbers[::-1]
    assert second["next"] is None


def test_priorities_have_bounds(api: Api) -> None:
    number = api.submit()
    path = f"/api/v1/jobs/{number}/priority"
    assert api("ann", "PUT", path, json={"priority": 200}).status_code == 204
    assert api("ann", "PUT", path, json={"priority": 201}).status_code == 403
    assert api("boss", "PUT", path, json={"priority": 999}).status_code == 204
    assert api("bob", "PUT", path, json={"priority": 1}).status_code == 404
    assert api("ann", "POST", "/api/v1/jobs", json={**JOB, "priority": 500}).status_code == 403


def test_without_numbers_of_ones_own_nobody_submits(api: Api) -> None:
    with changing(api.engine) as connection:
        connection.exec_driver_sql("DELETE FROM identity WHERE identityName = 'ann'")
    answer = api("ann", "POST", "/api/v1/jobs", json=JOB)
    assert (answer.status_code, "uid" in answer.text) == (409, True)


@pytest.mark.parametrize(
    ("fields", "place"),
    [({"image": "a b"}, "image"), ({"image": "-v/x"}, "image"), ({"name": "a\nb"}, "name"),
     ({"name": "\ud800"}, "name"), ({"env": {"A B": "1"}}, "env"), ({"env": {"LD_X": "1"}}, "env"),
     ({"env": {"DLWS_UID": "0"}}, "env"), ({"command": "a\x00b"}, "command"),
     ({"devices": 2}, "body"), ({"device": "V100\n", "devices": 1}, "device"),
     ({"workers": 2}, "body"), ({"priority": 0}, "priority"), ({"uid": 0}, "uid"),
     ({"hostNetwork": True}, "hostNetwork"), ({"privileged": True}, "privileged"),
     ({"nodeSelector": {"a": "b"}}, "nodeSelector"), ({"kind": "inference"}, "body"),
     ({"cpu_millis": 10**9}, "cpu_millis"), ({"command": ""}, "command")],
)  # fmt: skip
def test_what_a_job_cannot_ask_for_is_refused_by_name(
    api: Api, fields: dict[str, object], place: str
) -> None:
    answer = api("ann", "POST", "/api/v1/jobs", content=json.dumps({**JOB, **fields}))
    assert answer.status_code == 422
    assert place in str([one["loc"] for one in answer.json()["detail"]])
    with reading(api.engine) as connection:
        assert connection.execute(select(table)).all() == []


@pytest.mark.parametrize("text", NASTY)
def test_every_text_comes_back_as_it_was_given(api: Api, text: str) -> None:
    number = api.submit(name=text, command=text, env={"A": text})
    shown = api("ann", "GET", f"/api/v1/jobs/{number}").json()
    asked = shown["request"]
    assert [shown["name"], asked["name"], asked["command"], asked["env"]["A"]] == [text] * 4
    assert api("ann", "GET", f"/ListJobs?vcName=a&jobOwner={number}").status_code == 200


@pytest.mark.parametrize("text", [*NASTY, "../../x", "a" * 300, "%00", "a%0ab"])
def test_no_text_in_a_path_or_query_does_anything(api: Api, text: str) -> None:
    number = api.submit()
    for path in (f"/api/v1/jobs/{text}", f"/api/v1/jobs/{text}/events"):
        assert api("root", "GET", path).status_code in {404, 405, 422}
    for name in ("jobId", "userName", "vcName", "jobIds"):
        for path in ("/GetJobDetail", "/KillJob", "/ListStorages", "/GetVC", "/ApproveJobs"):
            assert api("ann", "GET", path, params={name: text}).status_code in {
                200, 403, 404, 422,
            }  # fmt: skip
    with reading(api.engine) as connection:
        row = connection.execute(select(table)).one()
    assert (row.jobId, row.jobStatus) == (number, "unapproved")


def test_stored_parameters_of_the_predecessor_are_read_and_their_powers_refused() -> None:
    given = {"jobName": "n", "vcName": "a", "image": "x:1", "cmd": "ls", "resourcegpu": 2,
             "gpuType": "V100", "memoryrequest": "4Gi", "cpurequest": "1.5",
             "jobtrainingtype": "PSDistJob", "numpsworker": 3}  # fmt: skip
    asked = request.read(json.dumps(given))
    assert (asked.workers, asked.cpu_millis, asked.memory_mib) == (3, 1500, 4096)
    assert (asked.device, asked.devices, asked.launch) == ("V100", 2, "first")
    for name in request.FORBIDDEN:
        with pytest.raises(ValueError, match=name):
            request.from_legacy({**given, name: True})
