"""The portal's page on which a person lets a program in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from jobplatform.api.app import create as create_api
from jobplatform.model.signin import SignIn
from jobplatform.portal.app import create
from jobplatform.portal.visitor import SESSION
from jobplatform.store import people
from jobplatform.store.database import changing
from tests.support.platform.clients import PASSWORD, Api, settle
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.portals import SITE, Asked, Portal, read

PATH = "/api/v1/device-grants"


@pytest.fixture
def portal(database: Engine) -> Iterator[Portal]:
    made = create_api(database, told=SignIn(address=SITE))
    with TestClient(made, raise_server_exceptions=False) as client:
        api = Api(database, client, settle(database))
        asked = Asked(client)
        yield Portal(api, asked, FakeKubernetes(), create(asked))


def begin(portal: Portal) -> tuple[str, str]:
    found = portal.api("", "POST", PATH, json={"machine": "ann@laptop"}).json()
    return found["device_code"], found["user_code"]


def fetched(portal: Portal, device: str) -> Any:
    return portal.api("", "POST", f"{PATH}/token", json={"device_code": device}).json()


def test_a_person_signs_in_first_sees_who_asks_and_approves(portal: Portal) -> None:
    device, code = begin(portal)
    one = portal.browser()
    assert one.get("/device").headers["location"] == "/sign-in?next=%2Fdevice"
    with changing(portal.api.engine) as connection:
        people.set_password(connection, "ann", PASSWORD)
    given = {"user": "ann", "password": PASSWORD, "next": "/device"}
    assert one.post("/sign-in", given).headers["location"] == "/device"
    page = one.post("/device", {"code": f" {code.lower()} "}, "/device").text
    assert "ann@laptop" in page and code in page and "Approve it" in page
    done = one.post("/device/answer", {"code": code, "answer": "approve"}, "/device")
    assert "signed in as you" in done.text
    token = fetched(portal, device)["access_token"]
    assert token not in "".join(answer.text for answer in one.seen)
    portal.api.tokens["program"] = token
    assert portal.api("program", "GET", "/api/v1/me").json()["user"] == "ann"


@pytest.mark.parametrize("answer", ["refuse", "", "APPROVE"])
def test_whatever_is_no_approval_refuses(portal: Portal, answer: str) -> None:
    device, code = begin(portal)
    ann = portal.browser("ann")
    told = ann.post("/device/answer", {"code": code, "answer": answer}, "/device")
    assert "The program was refused." in told.text
    assert fetched(portal, device)["error"] == "access_denied"


def test_no_foreign_page_approves(portal: Portal) -> None:
    device, code = begin(portal)
    ann, bob = portal.browser("ann"), portal.browser("bob")
    for seal in ("", "0" * 64, bob.seal("/device")):
        given = {"code": code, "answer": "approve", "seal": seal}
        answer = ann.client.post("/device/answer", data=given, follow_redirects=False)
        assert answer.status_code == 403
    for path in (f"/device/answer?code={code}&answer=approve", f"/device?code={code}"):
        answer = ann.get(path)
        assert (answer.status_code, "Approve it" in answer.text) in {(303, False), (200, False)}
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert fetched(portal, device)["error"] == "authorization_pending"


def test_wrong_codes_are_said_and_then_waited_for(portal: Portal) -> None:
    ann = portal.browser("ann")
    for code in ("BBBB-BBBB", "<script>alert(1)</script>", "x" * 5000, ""):
        answer = ann.post("/device", {"code": code}, "/device")
        assert answer.status_code in {404, 422} and 'role="alert"' in answer.text
        assert "script" not in {tag for tag, _ in read(answer.text).elements}
    for _ in range(12):
        answer = ann.post("/device", {"code": "BBBB-BBBB"}, "/device")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "600")


def test_the_page_is_there_in_chinese_and_without_a_session_nothing_is(portal: Portal) -> None:
    _, code = begin(portal)
    page = portal.browser("ann", "zh").post("/device", {"code": code}, "/device").text
    assert "批准登录" in page and "机器" in page and "Approve" not in page
    nobody = portal.browser()
    nobody.client.cookies.set(SESSION, "dlws_" + "x" * 40, domain="portal.example.org")
    answer = nobody.get("/device")
    assert answer.headers["location"].startswith("/sign-in")


def test_pages_can_be_read_aloud(portal: Portal) -> None:
    _, code = begin(portal)
    ann = portal.browser("ann")
    asks = ann.post("/device", {"code": code}, "/device").text
    for html in (ann.get("/device").text, asks):
        found = read(html).elements
        labelled = {one["for"] for tag, one in found if tag == "label"}
        assert [tag for tag, _ in found].count("h1") == 1
        for tag, one in found:
            if tag == "input" and one.get("type") != "hidden":
                assert one["id"] in labelled
