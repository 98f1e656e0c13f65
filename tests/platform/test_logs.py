"""Logs: each line once, to those alone who may see the job."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, update

from jobplatform.model import logs, names
from jobplatform.model.logs import Cursor
from jobplatform.store.database import changing
from jobplatform.store.tables import jobs
from tests.support.platform.clients import Api, serving, settle
from tests.support.platform.kubernetes import FakeKubernetes

LINES = [b"2026-01-01T00:00:00.5Z one\n", b"2026-01-01T00:00:00.5Z two\n",
         b"2026-01-01T00:00:01.000000001Z <b>\xff\n"]  # fmt: skip


@pytest.mark.parametrize("size", [1, 4, 8, 100])
def test_each_line_comes_once_however_it_is_cut(size: int) -> None:
    at, found, more = Cursor(1), "", True
    while more:
        piece = logs.after(LINES, at, size)
        at, found, more = logs.cursor(str(piece.cursor)), found + piece.text, piece.more
    assert (found, at.since) == ("one\ntwo\n<b>\ufffd\n", "2026-01-01T00:00:01Z")
    assert logs.after(LINES, at).text == ""


def test_a_line_that_is_being_written_comes_when_it_is_whole() -> None:
    begun = logs.after([*LINES, b"2026-01-01T00:00:02Z hal"], Cursor(1))
    whole = logs.after([*LINES, b"2026-01-01T00:00:02Z half\n"], begun.cursor)
    assert (begun.text.count("\n"), whole.text) == (3, "half\n")


def test_times_are_compared_across_time_zones_and_what_has_none_is_no_line() -> None:
    lines = [b"unable to retrieve container logs\n", b"2026-01-01T08:00:02+08:00 later\n"]
    first = logs.after(LINES, Cursor(1))
    assert logs.after(lines, first.cursor).text == "later\n"


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "a.b.c", "1.-2.3", "9" * 50, "1.100000000000000000000.1"]
)
def test_what_is_no_cursor_is_told(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        logs.cursor(text)


@pytest.fixture
def kept() -> FakeKubernetes:
    return FakeKubernetes()


@pytest.fixture
def api(database: Engine, kept: FakeKubernetes) -> Iterator[Api]:
    with serving(database, kept) as client:
        yield Api(database, client, settle(database))


def at(api: Api, number: str, state: str, attempt: int) -> None:
    with changing(api.engine) as connection:
        values = {"jobStatus": state, "attempt": attempt}
        connection.execute(update(jobs).where(jobs.c.jobId == number).values(values))


def test_a_log_is_read_on_into_the_next_attempt(api: Api, kept: FakeKubernetes) -> None:
    number = api.submit()
    path = f"/api/v1/jobs/{number}/log"
    assert api("ann", "GET", path).json()["text"] == ""
    at(api, number, "running", 1)
    kept.logs["vc-a", names.worker(number, 1, 0)] = LINES[:1]
    first = api("ann", "GET", path).json()
    assert (first["text"], first["status"], first["more"]) == ("one\n", "running", False)
    at(api, number, "running", 2)
    kept.logs["vc-a", names.worker(number, 1, 0)] = LINES[:2]
    kept.logs["vc-a", names.worker(number, 2, 0)] = LINES[2:]
    rest = api("ann", "GET", path, params={"after": first["cursor"]}).json()
    assert (rest["text"], rest["more"]) == ("two\n", True)
    last = api("ann", "GET", path, params={"after": rest["cursor"]}).json()
    assert (last["text"], last["more"]) == ("<b>\ufffd\n", False)


@pytest.mark.parametrize(
    ("who", "code"), [("", 401), ("bob", 404), ("ann", 200), ("peer", 200), ("root", 200)]
)
def test_who_may_read_a_log(api: Api, who: str, code: int) -> None:
    assert api(who, "GET", f"/api/v1/jobs/{api.submit()}/log").status_code == code


def test_a_log_that_is_gone_and_a_kubernetes_that_is_away(api: Api, kept: FakeKubernetes) -> None:
    number = api.submit()
    path = f"/api/v1/jobs/{number}/log"
    at(api, number, "finished", 1)
    assert api("ann", "GET", path).status_code == 410
    kept.refusal = "container is waiting"
    assert api("ann", "GET", path).status_code == 410
    at(api, number, "scheduling", 1)
    assert api("ann", "GET", path).json()["text"] == ""
    kept.away = True
    answer = api("ann", "GET", path)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert api("ann", "GET", path, params={"after": "x"}).status_code == 422
    assert api("ann", "GET", path, params={"worker": "-1"}).status_code == 422


def test_an_administrator_gives_a_person_a_password_and_nobody_else_does(api: Api) -> None:
    given = {"password": "a good long password"}
    for who, name, code in [("ann", "ann", 403), ("boss", "ann", 403), ("root", "x", 404),
                            ("root", "ann", 204)]:  # fmt: skip
        answer = api(who, "PUT", f"/api/v1/users/{name}/password", json=given)
        assert answer.status_code == code
    signed = api("", "POST", "/api/v1/login", json={"user": "ann", **given})
    assert signed.status_code == 200
    assert api("ann", "GET", "/api/v1/me").status_code == 401
