"""One thread finds who asks, opens the connection and answers; what it asks the database for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event, insert

from jobplatform.model.rights import Caller
from jobplatform.store import jobs, people, vcs
from jobplatform.store.database import changing, engine, reading
from jobplatform.store.tables import acl
from tests.support.platform.clients import JOB, Api, serving, settle


@contextmanager
def asked(found: Engine) -> Iterator[list[str]]:
    """The statements of a while: what they do, and of which table."""
    texts = list[str]()

    def note(connection: Any, cursor: Any, text: str, *rest: object) -> None:
        words = text.replace('"', "").replace("`", "").split()
        after = "INTO" if words[0] == "INSERT" else "FROM"
        texts.append(f"{words[0]} {words[words.index(after) + 1]}")

    event.listen(found, "before_cursor_execute", note)
    try:
        yield texts
    finally:
        event.remove(found, "before_cursor_execute", note)


def test_who_asks_and_the_answer_are_found_by_one_thread(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    number, seen = api.submit(), list[int]()
    for module, name in ((people, "by_token"), (jobs, "find")):
        real = getattr(module, name)

        def noted(*given: Any, real: Any = real) -> Any:
            seen.append(threading.get_ident())
            return real(*given)

        monkeypatch.setattr(module, name, noted)
    assert api("ann", "GET", f"/api/v1/jobs/{number}").status_code == 200
    assert len(seen) == 2
    assert len(set(seen)) == 1
    assert threading.get_ident() not in seen


def test_a_request_asks_the_database_for_little(api: Api) -> None:
    number = api.submit()  # the first use of a token is noted
    with asked(api.engine) as texts:
        api.submit()
    assert texts == ["SELECT tokens", "SELECT vc", "INSERT jobs", "INSERT job_events"]
    with asked(api.engine) as texts:
        api("ann", "GET", f"/api/v1/jobs/{number}")
    assert texts == ["SELECT tokens", "SELECT jobs"]
    with asked(api.engine) as texts:
        api("ann", "GET", "/api/v1/jobs")
    assert texts == ["SELECT tokens", "SELECT vc", "SELECT jobs"]


def test_no_request_holds_a_connection_while_it_waits_for_another(real: Engine) -> None:
    """With one of each kind, whatever fails included: none is kept."""
    tokens, one = settle(real), engine(real.url, connections=1)
    with serving(one) as client:
        api = Api(one, client, tokens)
        number = api.submit()
        for who, method, path, code in (
            ("root", "GET", f"/KillJob?jobId={number}&userName=ann", 200),
            ("ann", "GET", f"/KillJob?jobId={number}&userName=root", 403),
            ("bob", "GET", f"/api/v1/jobs/{number}", 404),
            ("bob", "POST", f"/api/v1/jobs/{number}/stop", 404),
            ("ann", "PUT", "/api/v1/vcs/a", 403),
            ("ann", "GET", f"/api/v1/jobs/{number}", 200),
            ("ann", "GET", f"/api/v1/jobs/{number}/log", 501),
        ):
            answer = api(who, method, path, json={"quota": {}} if method == "PUT" else None)
            assert answer.status_code == code, f"{path}: {answer.text}"
    one.dispose()


def test_what_a_request_changed_before_it_failed_is_not_kept(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> None:
        raise people.Taken("a test's")

    monkeypatch.setattr(people, "record", fail)
    given = {"name": "new", "quota": {"V100": 1}}
    assert api("root", "POST", "/api/v1/vcs", json=given).status_code == 409
    with reading(api.engine) as connection:
        assert vcs.find(connection, "new") is None


def _numbers_of_groups(found: Engine) -> None:
    """Rights by number are those of the very number, however the list of groups was written."""
    tokens = settle(found)
    with changing(found) as connection:
        people.set_identity(connection, "ann", 2003, 3000, [3000])
        people.set_identity(connection, "peer", 2002, 3000, ["3000", "staff"])
        people.set_identity(connection, "boss", 2001, 3000, [])
        people.disallow(connection, "boss", "Cluster/VC:a")
        for number in (3000, 300, 30, 0, 3001):
            values = {"identityName": f"group {number}", "identityId": number, "isDeny": 0,
                      "resource": f"Cluster/VC:g{number}", "permissions": 1}  # fmt: skip
            connection.execute(insert(acl).values(values))
    both = {"Cluster/VC:a", "Cluster/VC:g3000"}
    for name, wanted in (("ann", both), ("peer", both), ("boss", set())):
        with reading(found) as connection:
            by_token = people.by_token(connection, tokens[name])
            by_name = people.caller(connection, name)
        assert by_token == by_name
        assert {entry.resource for entry in by_name.entries} == wanted
        assert by_name.numbered
    with reading(found) as connection:
        assert people.caller(connection, "ghost") == Caller("ghost")


def test_numbers_of_groups(database: Engine) -> None:
    _numbers_of_groups(database)


def test_numbers_of_groups_in_a_real_database(real: Engine) -> None:
    _numbers_of_groups(real)


def test_without_a_token_nothing_else_is_said(api: Api) -> None:
    api.tokens["nobody"] = "x" * 40
    wrong = {"name": "train", "devices": "many"}
    assert api("", "POST", "/api/v1/jobs", json=wrong).status_code == 401
    assert api("nobody", "POST", "/api/v1/jobs", json=JOB).status_code == 401
    assert api("nobody", "POST", "/api/v1/jobs", json=wrong).status_code == 401
    assert api("ann", "POST", "/api/v1/jobs", json=wrong).status_code == 422
    assert api("nobody", "GET", "/ListVCs?userName=root").status_code == 401
