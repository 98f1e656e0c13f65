"""Signing in on a machine without a browser: codes, answers, and what must not be possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine, select, update

from jobplatform.api.app import create
from jobplatform.model import grant
from jobplatform.model.signin import SIGNED_IN, SignIn
from jobplatform.store import grants
from jobplatform.store.database import changing, now, reading
from jobplatform.store.tables import audit, grant_guesses, tokens
from jobplatform.store.tables import grants as table
from tests.support.platform.clients import PASSWORD, Api, serving, settle
from tests.support.platform.databases import empty, real
from tests.support.platform.portals import SITE

__all__ = ["empty", "real"]
PATH = "/api/v1/device-grants"


@pytest.fixture
def api(database: Engine) -> Iterator[Api]:
    made = create(database, told=SignIn(address=SITE))
    with TestClient(made, raise_server_exceptions=False) as client:
        yield Api(database, client, settle(database))


def begin(api: Api, machine: str = "ann@laptop") -> dict[str, Any]:
    answer = api("", "POST", PATH, json={"machine": machine})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def ask(api: Api, begun: dict[str, Any]) -> tuple[int, str]:
    """A program's question, as long after the one before as it was told to wait."""
    with changing(api.engine) as connection:
        connection.execute(update(table).values(asked=0))
    answer = api("", "POST", f"{PATH}/token", json={"device_code": begun["device_code"]})
    found = answer.json()
    return answer.status_code, str(found.get("error") or found.get("access_token"))


def reply(api: Api, who: str, begun: dict[str, Any], approve: bool = True) -> int:
    given = {"user_code": begun["user_code"], "approve": approve}
    return int(api(who, "POST", f"{PATH}/answer", json=given).status_code)


def test_a_program_gets_the_token_of_whom_approves_once(api: Api) -> None:
    begun = begin(api)
    assert begun["verification_uri"] == f"{SITE}/device"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert ask(api, begun) == (400, "authorization_pending")
    typed = begun["user_code"].lower().replace("-", " ")
    found = api("ann", "POST", f"{PATH}/look", json={"user_code": typed}).json()
    assert (found["machine"], found["user_code"]) == ("ann@laptop", begun["user_code"])
    assert reply(api, "ann", begun) == 204
    status, token = ask(api, begun)
    assert status == 200
    api.tokens["program"] = token
    assert api("program", "GET", "/api/v1/me").json()["user"] == "ann"
    (mine,) = [one for one in api("ann", "GET", "/api/v1/tokens").json()
               if one["label"] == "dlws on ann@laptop"]  # fmt: skip
    with reading(api.engine) as connection:
        ends = connection.execute(select(tokens.c.expires).where(tokens.c.id == mine["id"]))
        left = int(ends.scalar_one()) / 1000 - now(connection) / 1000
        told = connection.execute(select(audit.c.actor, audit.c.action)).all()
    assert SIGNED_IN - 60 < left <= SIGNED_IN
    assert ("ann", "approve a sign-in on ann@laptop") in [tuple(one) for one in told]
    assert ask(api, begun) == (400, "invalid_grant")
    assert reply(api, "bob", begun) == 404


def test_who_is_refused_is_told_so(api: Api) -> None:
    begun = begin(api)
    assert reply(api, "ann", begun, approve=False) == 204
    assert ask(api, begun) == (400, "access_denied")
    assert reply(api, "ann", begun) == 404
    assert ask(api, begun) == (400, "access_denied")


def test_codes_end(api: Api) -> None:
    waits, approved = begin(api), begin(api)
    assert reply(api, "ann", approved) == 204
    with changing(api.engine) as connection:
        connection.execute(update(table).values(expires=now(connection) - 1))
    assert [ask(api, one) for one in (waits, approved)] == [(400, "expired_token")] * 2
    assert reply(api, "ann", waits) == 404
    with changing(api.engine) as connection:
        connection.execute(update(table).values(expires=1))
    begin(api)
    assert ask(api, waits) == (400, "invalid_grant")


def test_who_asks_too_often_is_slowed_down(api: Api) -> None:
    begun = begin(api)

    def hasty() -> str:
        given = {"device_code": begun["device_code"]}
        return str(api("", "POST", f"{PATH}/token", json=given).json()["error"])

    assert [hasty() for _ in range(2)] == ["authorization_pending", "slow_down"]
    assert [hasty() for _ in range(20)] == ["slow_down"] * 20
    with reading(api.engine) as connection:
        assert connection.execute(select(table.c.pace)).scalar_one() == grant.SLOWEST
    assert reply(api, "ann", begun) == 204
    assert ask(api, begun)[0] == 200


def test_neither_code_is_stored_nor_does_one_do_for_the_other(api: Api) -> None:
    begun = begin(api)
    with reading(api.engine) as connection:
        kept = str(connection.execute(select(table)).all())
    for secret in (begun["device_code"], begun["user_code"], begun["user_code"].replace("-", "")):
        assert secret not in kept
    as_user = {"user_code": begun["device_code"], "approve": True}
    assert api("ann", "POST", f"{PATH}/answer", json=as_user).status_code in {404, 422}
    swapped = {"device_code": grant.shown("B" * 8) + "x" * 20}
    assert api("", "POST", f"{PATH}/token", json=swapped).json()["error"] == "invalid_grant"


def test_only_a_person_who_is_signed_in_looks_and_answers(api: Api) -> None:
    begun = begin(api)
    for path in ("look", "answer"):
        given = {"user_code": begun["user_code"], **({"approve": True} if path == "answer" else {})}
        answer = api("", "POST", f"{PATH}/{path}", json=given)
        assert (answer.status_code, "laptop" in answer.text) == (401, False)
    assert ask(api, begun) == (400, "authorization_pending")


def test_wrong_codes_are_counted_for_each_person(api: Api) -> None:
    begun = begin(api)

    def look(who: str, code: str) -> Any:
        return api(who, "POST", f"{PATH}/look", json={"user_code": code})

    assert [look("ann", "BBBB-BBBB").status_code for _ in range(5)] == [404] * 5
    given = {"user_code": "x", "approve": True}
    assert [api("ann", "POST", f"{PATH}/answer", json=given).status_code
            for _ in range(5)] == [404] * 5  # fmt: skip
    refused = look("ann", begun["user_code"])
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "600")
    assert reply(api, "ann", begun) == 429
    assert look("bob", begun["user_code"]).status_code == 200
    with changing(api.engine) as connection:
        connection.execute(update(grant_guesses).values(since=1))
    assert look("ann", begun["user_code"]).status_code == 200
    assert look("ann", "BBBB-BBBB").status_code == 404
    with reading(api.engine) as connection:
        assert connection.execute(select(grant_guesses.c.wrong)).scalar_one() == 1


def test_another_password_ends_what_was_approved_and_not_fetched(api: Api) -> None:
    begun, bobs = begin(api), begin(api)
    assert (reply(api, "ann", begun), reply(api, "bob", bobs)) == (204, 204)
    given = {"password": PASSWORD}
    assert api("root", "PUT", "/api/v1/users/ann/password", json=given).status_code == 204
    assert ask(api, begun) == (400, "invalid_grant")
    assert ask(api, bobs)[0] == 200


@pytest.mark.parametrize("machine", ["", "<b>", "a b", "a\nb", "-x", "a" * 129, "\u202ex", "é"])
def test_machines_are_called_by_plain_names(api: Api, machine: str) -> None:
    assert api("", "POST", PATH, json={"machine": machine}).status_code == 422


def test_not_more_wait_than_there_is_room_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grants, "MOST", 2)
    assert len({begin(api)["user_code"] for _ in range(2)}) == 2
    assert api("", "POST", PATH, json={"machine": "x"}).status_code == 429


def test_a_code_that_there_is_already_is_given_to_nobody_else(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grant, "new_code", lambda: "B" * 8)
    begin(api)
    assert api("", "POST", PATH, json={"machine": "x"}).status_code == 429


def test_without_an_address_of_the_portal_there_is_no_such_way(database: Engine) -> None:
    with serving(database) as client:
        assert client.post(PATH, json={"machine": "x"}).status_code == 404


def test_all_answers_are_described(api: Api) -> None:
    spec = api.client.get("/api/v1/openapi.json").json()
    words = spec["components"]["schemas"]["NotYet"]["properties"]["error"]["enum"]
    assert set(words) == set(grant.SENTENCES)
    assert "400" in spec["paths"][f"{PATH}/token"]["post"]["responses"]


@pytest.mark.parametrize(
    ("text", "code"),
    [("bcdf-ghjk", "BCDFGHJK"), (" BCDF  GHJK\t", "BCDFGHJK"), ("BCDFGHJ", ""), ("BCDFGHJA", ""),
     ("", ""), ("BCDF_GHJK", ""), ("\u017fcdfghjk", ""), ("BCDFGHJK\x00", "")],
)  # fmt: skip
def test_codes_as_people_type_them(text: str, code: str) -> None:
    assert grant.typed(text) == code


def test_codes_are_drawn_from_all_letters() -> None:
    drawn = [grant.new_code() for _ in range(500)]
    assert len(set(drawn)) == 500
    assert set("".join(drawn)) == set(grant.LETTERS)


def test_with_a_real_database(real: Engine) -> None:
    """The whole way, and two who fetch one token at once."""
    tokens_of = settle(real)
    with TestClient(create(real, told=SignIn(address=SITE))) as client:
        api = Api(real, client, tokens_of)
        begun = begin(api)
        assert ask(api, begun) == (400, "authorization_pending")
        wrong = {"user_code": "BBBB-BBBB"}
        assert [api("ann", "POST", f"{PATH}/look", json=wrong).status_code
                for _ in range(11)] == [404] * 10 + [429]  # fmt: skip
        assert reply(api, "bob", begun) == 204
        assert ask(api, begun)[0] == 200
        assert ask(api, begun) == (400, "invalid_grant")
