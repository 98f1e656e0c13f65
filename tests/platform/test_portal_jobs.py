"""The portal's pages about jobs, over the real API."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import update

from jobplatform.model import names
from jobplatform.model.reasons import Reason
from jobplatform.portal import submit
from jobplatform.portal.backend import Refusal
from jobplatform.store.database import changing
from jobplatform.store.tables import jobs
from tests.support.platform.clients import JOB
from tests.support.platform.portals import Portal, read

FORM = {"kind": "regular", "name": "train", "vc": "a", "image": "registry:5000/team/torch:1",
        "command": "nvidia-smi\r\nsleep 1"}  # fmt: skip
LINES = [b"2026-01-01T00:00:00.5Z one\n", b"2026-01-01T00:00:01Z <b>two\x1b[0m\xff\n"]


def at(portal: Portal, number: str, state: str, **values: object) -> None:
    with changing(portal.api.engine) as connection:
        changed = update(jobs).where(jobs.c.jobId == number).values(jobStatus=state, **values)
        connection.execute(changed)


def test_a_job_is_submitted_shown_and_stopped(portal: Portal) -> None:
    ann = portal.browser("ann")
    sent = ann.post("/jobs/new", {**FORM, "env": "A=1", "cpu": "0.5"}, "/jobs/new")
    assert sent.status_code == 303
    number = sent.headers["location"].removeprefix("/jobs/")
    asked = portal.api("ann", "GET", f"/api/v1/jobs/{number}").json()["request"]
    assert (asked["command"], asked["env"], asked["cpu_millis"]) == (
        "nvidia-smi\nsleep 1", {"A": "1"}, 500,
    )  # fmt: skip
    shown = ann.get(f"/jobs/{number}").text
    assert "train" in shown and "unapproved" in shown and "registry:5000/team/torch:1" in shown
    assert ann.post(f"/jobs/{number}/stop", {}, "/jobs").status_code == 303
    shown = ann.get(f"/jobs/{number}").text
    assert "ann stopped it." in shown and 'class="state killing"' in shown
    assert f"/jobs/{number}/stop" not in shown


def test_what_is_wrong_with_a_form_is_said_and_the_rest_is_kept(portal: Portal) -> None:
    ann = portal.browser("ann")
    answer = ann.post("/jobs/new", {**FORM, "image": "a b", "device": "V100"}, "/jobs/new")
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text and "image" in read(answer.text).text
    values = {one["name"]: one.get("value", "") for tag, one in read(answer.text).elements
              if tag == "input" and "name" in one}  # fmt: skip
    assert (values["name"], values["image"], values["device"]) == ("train", "a b", "V100")
    assert "nvidia-smi\nsleep 1" in answer.text.replace("\r\n", "\n")
    for wrong in ({"cpu": "x"}, {"cpu": "1e999999"}, {"env": "A"}, {"env": 'A="x'}, {"vc": "b"}):
        assert ann.post("/jobs/new", {**FORM, **wrong}, "/jobs/new").status_code in {404, 422}
    assert portal.api("ann", "GET", "/api/v1/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("kind", "there", "absent"),
    [("regular", "memory_mib", "workers"), ("distributed", "launch", "port"),
     ("inference", "port", "launch")],
)  # fmt: skip
def test_templates_begin_a_form_that_the_api_takes(
    portal: Portal, kind: str, there: str, absent: str
) -> None:
    ann = portal.browser("ann")
    page = read(ann.get(f"/jobs/new?kind={kind}").text)
    fields = {one["name"]: one.get("value", "") for _, one in page.elements if "name" in one}
    assert there in fields and absent not in fields
    inputs = {one["name"]: one.get("value", "") for tag, one in page.elements
              if tag == "input" and one.get("type") != "checkbox" and "name" in one}  # fmt: skip
    given = {**inputs, "launch": "all", **FORM, "kind": kind}
    assert ann.post("/jobs/new", given, "/jobs/new").status_code == 303


def test_a_clone_asks_for_the_same(portal: Portal) -> None:
    asked = {**JOB, "kind": "distributed", "workers": 3, "device": "V100", "devices": 2,
             "cpu_millis": 1250, "env": {"A": "x y", "B": 'say "hi"\n<b>', "C": "", "D": '"'},
             "launch": "first", "priority": 7, "preemptible": True, "max_seconds": 60,
             "command": "\n\nfirst\n</textarea>"}  # fmt: skip
    number = portal.api("ann", "POST", "/api/v1/jobs", json=asked).json()["id"]
    ann = portal.browser("ann")
    shown = ann.get(f"/jobs/new?from={number}")
    assert "&lt;/textarea&gt;" in shown.text
    found = portal.api("ann", "GET", f"/api/v1/jobs/{number}").json()["request"]
    answer = ann.post("/jobs/new", submit.filled(found), "/jobs/new")
    copy = answer.headers["location"].removeprefix("/jobs/")
    assert portal.api("ann", "GET", f"/api/v1/jobs/{copy}").json()["request"] == found
    assert ann.get("/jobs/new?from=x").status_code == 404


@pytest.mark.parametrize("value", ["", "x", " x", '"', "a=b", "a\nb\r\n", "é🔑", "\\n", "\u2028"])
def test_variables_come_back_as_they_were(value: str) -> None:
    assert submit.variables(submit.lines({"A": value, "B": "1"})) == {"A": value, "B": "1"}
    with pytest.raises(Refusal, match="NAME=VALUE"):
        submit.variables("A")


def test_the_list_has_pages_and_filters(portal: Portal) -> None:
    numbers = [portal.api.submit(name=f"job-{index}") for index in range(25)]
    ann = portal.browser("ann")
    first = ann.get("/jobs?vc=a&state=unapproved").text
    assert [f"/jobs/{number}" in first for number in numbers] == [False] * 5 + [True] * 20
    onward = next(one["href"] for tag, one in read(first).elements if one.get("rel") == "next")
    second = ann.get(onward).text
    assert "vc=a&amp;state=unapproved" in second
    assert [f"/jobs/{number}" in second for number in numbers] == [True] * 5 + [False] * 20
    assert "There is no such job." in ann.get("/jobs?state=running").text
    assert "There is no such job." in portal.browser("bob").get("/jobs?vc=a").text
    for query in ("state=x", "before=x", "before=-1", "mine=x"):
        assert ann.get(f"/jobs?{query}").status_code == 422


def test_reasons_stand_in_list_and_page(portal: Portal) -> None:
    number = portal.api.submit()
    reason = Reason("cluster-full", {"wanted": 9, "device": "V100", "free": 8})
    at(portal, number, "queued", reason=reason.stored())
    ann = portal.browser("ann")
    for path in ("/jobs", f"/jobs/{number}"):
        assert "9 V100 are needed, 8 are free." in ann.get(path).text
    ended = Reason("exit", {"pod": "p", "exit": 3})
    at(portal, number, "failed", reason=ended.stored(), endedAt=1_700_000_000_000)
    shown = ann.get(f"/jobs/{number}").text
    assert "ended with 3. (cause: user)" in read(shown).text
    assert 'datetime="2023-11-14T22:13:20Z"' in shown


def test_a_log_is_shown_as_text_and_read_again_while_the_job_lives(portal: Portal) -> None:
    number = portal.api.submit()
    ann, path = portal.browser("ann"), f"/jobs/{number}/log"
    at(portal, number, "running", attempt=1)
    portal.kubernetes.logs["vc-a", names.worker(number, 1, 0)] = LINES
    shown = ann.get(path).text
    assert "one\n&lt;b&gt;two\ufffd[0m\ufffd\n" in shown
    assert '<meta http-equiv="refresh" content="5">' in shown
    still = ann.get(f"{path}?refresh=off").text
    assert "http-equiv" not in still and "Read it again every 5 seconds" in still
    onward = next(one["href"] for _, one in read(shown).elements if one.get("rel") == "next")
    rest = ann.get(onward).text
    assert "There is nothing in it yet." in rest and "http-equiv" in rest
    at(portal, number, "finished", attempt=1)
    assert "http-equiv" not in ann.get(path).text
    portal.kubernetes.logs.clear()
    gone = ann.get(path)
    assert (gone.status_code, "its log is gone" in gone.text) == (200, True)
    assert ann.get(f"{path}?worker=-1").status_code == 422
    assert ann.get(f"{path}?after=x").status_code == 422


def test_a_log_is_downloaded_whole(portal: Portal) -> None:
    number = portal.api.submit()
    at(portal, number, "running", attempt=1)
    printed = [f"2026-01-01T00:00:01.{each:09}Z <b>{each}\n".encode() for each in range(150_000)]
    portal.kubernetes.logs["vc-a", names.worker(number, 1, 0)] = printed
    answer = portal.browser("ann").get(f"/jobs/{number}/log.txt")
    assert answer.text == "".join(f"<b>{each}\n" for each in range(150_000))
    assert len(answer.content) > 1024**2 and answer.headers["content-type"].startswith("text/plain")
    assert answer.headers["content-disposition"] == f'attachment; filename="{number}-0.log"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert portal.browser("bob").get(f"/jobs/{number}/log.txt").status_code == 404


def test_a_log_of_several_workers_is_chosen(portal: Portal) -> None:
    number = portal.api.submit(kind="distributed", workers=2)
    at(portal, number, "running", attempt=1)
    portal.kubernetes.logs["vc-a", names.worker(number, 1, 1)] = LINES
    ann = portal.browser("ann")
    assert "Worker (the first is 0)" in ann.get(f"/jobs/{number}/log").text
    assert "one\n" in ann.get(f"/jobs/{number}/log?worker=1").text


@pytest.mark.parametrize(
    ("who", "seen", "buttons"),
    [("bob", 404, []), ("peer", 200, []), ("ann", 200, ["stop", "pause"]),
     ("boss", 200, ["stop", "pause", "approve"]), ("root", 200, ["stop", "pause", "approve"])],
)  # fmt: skip
def test_others_see_what_the_api_lets_them_see(
    portal: Portal, who: str, seen: int, buttons: list[str]
) -> None:
    number = portal.api.submit(name="a private name", env={"KEY": "a private value"})
    one = portal.browser(who)
    for path in (f"/jobs/{number}", f"/jobs/{number}/log", f"/jobs/new?from={number}"):
        answer = one.get(path)
        assert (answer.status_code, "a private name" in answer.text) == (seen, seen == 200)
    assert ("a private name" in one.get("/jobs").text) == (seen == 200)
    page = one.get(f"/jobs/{number}")
    assert "a private value" not in page.text
    asked = [one["action"].rpartition("/")[2] for tag, one in read(page.text).elements
             if tag == "form" and number in one["action"]]  # fmt: skip
    assert asked == buttons
    answer = one.post(f"/jobs/{number}/approve", {}, "/jobs")
    assert answer.status_code == {"bob": 404, "peer": 403, "ann": 403}.get(who, 303)


def test_pausing_resuming_and_approving(portal: Portal) -> None:
    number = portal.api.submit()
    ann, boss = portal.browser("ann"), portal.browser("boss")
    assert boss.post(f"/jobs/{number}/approve", {}, "/jobs").status_code == 303
    assert ann.post(f"/jobs/{number}/pause", {}, "/jobs").status_code == 303
    at(portal, number, "paused")
    assert ann.post(f"/jobs/{number}/resume", {}, "/jobs").status_code == 303
    told = portal.api("ann", "GET", f"/api/v1/jobs/{number}/events").json()
    assert [one["actor"] for one in told] == ["ann", "boss", "ann", "ann"]
    at(portal, number, "finished")
    answer = ann.post(f"/jobs/{number}/pause", {}, "/jobs")
    assert (answer.status_code, "it cannot pause" in answer.text) == (409, True)


def test_a_job_of_the_predecessors_that_nobody_may_ask_for_is_shown(portal: Portal) -> None:
    number = portal.api.submit()
    old = {"jobName": "n", "vcName": "a", "image": "x:1", "cmd": "ls", "hostNetwork": True}
    at(portal, number, "finished", jobParams=json.dumps(old))
    ann = portal.browser("ann")
    assert ann.get(f"/jobs/{number}").status_code == 200
    assert ann.get(f"/jobs/new?from={number}").status_code == 409
