"""Signing in and out of the portal, and all that keeps others out of a session.

The numbers of holes are those of the list of the predecessor's: see test_api_holes.py.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select, update

from jobplatform.portal import account, clusters, jobs, keys, people, providers, visitor
from jobplatform.portal.app import HEADERS, LARGEST
from jobplatform.portal.visitor import SESSION, VISIT
from jobplatform.store.database import changing, reading
from jobplatform.store.tables import jobs as table
from jobplatform.store.tables import login, tokens
from tests.support.platform.clients import PASSWORD
from tests.support.platform.portals import Browser, Portal, read

SIGN_IN = {"user": "ann", "password": PASSWORD}
MODULES = (account, providers, keys, jobs, clusters, people)
ROUTES = [route for module in MODULES for route in module.router.routes
          if isinstance(route, APIRoute)]  # fmt: skip
CHANGES = [route for route in ROUTES if "POST" in (route.methods or ())]
PAGES = [route.path for route in ROUTES if "GET" in (route.methods or ())]
OPEN = {"/", "/sign-in", "/sign-in/with/{name}", "/sign-in/return/{name}"}


def place(path: str, number: str = "x") -> str:
    return path.replace("{number}", number).replace("{verb}", "stop").replace("{name}", "a")


def cookie(answer: Any, name: str) -> str:
    said: list[str] = answer.headers.get_list("set-cookie")
    return next(one for one in said if one.startswith(f"{name}="))


def test_signing_in_gives_a_session_and_signing_out_ends_it(portal: Portal) -> None:
    one = portal.browser()
    answer = one.post("/sign-in", {**SIGN_IN, "next": "/jobs?mine=true"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs?mine=true")
    said = cookie(answer, SESSION)
    assert all(word in said for word in ("; HttpOnly", "; Secure", "; Path=/", "; SameSite=lax"))
    assert "Domain" not in said and "Max-Age" not in said
    token = one.client.cookies[SESSION]
    assert one.get("/jobs").status_code == 200
    assert one.post("/sign-out", {}, "/jobs").headers["location"] == "/sign-in"
    assert SESSION not in one.client.cookies
    headers = {"Authorization": f"Bearer {token}"}
    assert portal.api.client.get("/api/v1/me", headers=headers).status_code == 401


def test_a_session_ends_with_its_token(portal: Portal) -> None:
    ann = portal.browser("ann")
    with portal.api.engine.begin() as connection:
        connection.execute(tokens.delete())
    answer = ann.get("/jobs?vc=a&mine=true")
    assert answer.headers["location"] == "/sign-in?next=%2Fjobs%3Fvc%3Da%26mine%3Dtrue"
    assert cookie(answer, SESSION).startswith(f'{SESSION}=""; ')
    assert portal.browser("ann").post("/jobs/x/stop", {}).headers["location"] == "/sign-in"


def test_a_wrong_password_is_told_and_many_have_to_wait(portal: Portal) -> None:
    one = portal.browser()
    wrong = {"user": "ann", "password": "wrong <b>"}
    answers = [one.post("/sign-in", wrong) for _ in range(5)]
    with changing(portal.api.engine) as connection:  # however slow this machine is
        later = {"lockedUntil": login.c.lockedUntil + 3_600_000}
        found = connection.execute(update(login).where(login.c.lockedUntil > 0).values(later))
        assert found.rowcount == 1
    answers.append(one.post("/sign-in", wrong))
    assert answers[0].status_code == 401 and "is wrong" in answers[0].text
    assert 'value="ann"' in answers[0].text and "wrong <b>" not in answers[0].text
    assert (answers[-1].status_code, answers[-1].headers["retry-after"]) == (429, "60")
    assert SESSION not in one.client.cookies
    assert one.post("/sign-in", {"user": "\x00", "password": "x"}).status_code == 422


@pytest.mark.parametrize(
    "onward",
    ["//evil.example.org", "https://evil.example.org", "/\\evil.example.org", "\\\\evil", "evil",
     "/a\r\nSet-Cookie: x=1", "/\t/evil.example.org", "javascript:alert(1)", "", "/é", "/" * 3000,
     "/ /evil"],
)  # fmt: skip
def test_signing_in_and_languages_lead_to_no_other_host(portal: Portal, onward: str) -> None:
    one = portal.browser()
    page = read(one.get("/sign-in", params={"next": onward[:3000]}).text)
    kept = [field["value"] for _, field in page.elements if field.get("name") == "next"]
    assert kept[-1] == "/"
    answer = one.post("/language", {"language": "zh", "next": onward})
    assert answer.headers["location"] == "/"
    assert one.post("/sign-in", {**SIGN_IN, "next": onward}).headers["location"] == "/"
    assert visitor.here("/jobs?vc=a&x=%2F%2Fb") == "/jobs?vc=a&x=%2F%2Fb"


def test_hole_15_no_form_counts_without_the_seal_of_its_session(portal: Portal) -> None:
    number = portal.api.submit()
    assert len(CHANGES) >= 11
    root, peer = portal.browser("root"), portal.browser("peer")
    seals = ["", "0" * 64, "é", peer.seal("/jobs"), portal.browser().seal()]
    for route in CHANGES:
        path = place(route.path, number)
        for seal in seals:
            answer = root.client.post(
                path, data={"seal": seal, "name": "x"}, follow_redirects=False
            )
            assert (answer.status_code, "of your session" in answer.text) == (403, True), path
        assert root.client.post(path, follow_redirects=False).status_code == 415
        bare = root.client.post(path, json={"seal": root.seal("/jobs")}, follow_redirects=False)
        assert bare.status_code == 415
    assert [method for method, _ in portal.asked.sent if method != "GET"] == []
    with reading(portal.api.engine) as connection:
        assert connection.execute(select(table.c.jobStatus)).scalars().all() == ["unapproved"]


def test_hole_15_no_page_changes_anything_when_it_is_read(portal: Portal) -> None:
    number = portal.api.submit()
    for who in ("ann", "root"):
        for path in PAGES:
            assert portal.browser(who).get(place(path, number)).status_code < 500
    assert {method for method, _ in portal.asked.sent} == {"GET"}
    answer = portal.browser("ann").get(f"/jobs/{number}/stop")
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs")  # another page
    assert {method for method, _ in portal.asked.sent} == {"GET"}


def test_hole_1_and_13_nothing_is_shown_without_a_session(portal: Portal) -> None:
    number = portal.api.submit(name="a private name")
    for cookies in ({}, {SESSION: "x" * 43}, {SESSION: "short"}, {SESSION: "ann"}):
        one = portal.browser()
        one.client.cookies.update(cookies)
        for path in PAGES:
            answer = one.get(f"{place(path, number)}?userName=root")
            assert "a private name" not in answer.text
            if path not in OPEN:
                assert answer.headers["location"].startswith("/sign-in"), path
        seal = one.seal()
        for route in CHANGES:
            if route.path not in {"/sign-in", "/language"}:
                answer = one.client.post(
                    place(route.path, number), data={"seal": seal}, follow_redirects=False
                )
                assert answer.status_code in {303, 403}, route.path
                assert answer.headers.get("location", "/sign-in") == "/sign-in"
    assert portal.api("ann", "GET", f"/api/v1/jobs/{number}").json()["status"] == "unapproved"


def seen(portal: Portal) -> list[Any]:
    """All pages as several people see them, and some that did not work."""
    number = portal.api.submit(env={"KEY": "a private value"})
    found: list[Any] = []
    for who in ("", "ann", "root"):
        one = portal.browser(who)
        found += [one.get(place(path, number)) for path in PAGES]
        found += [one.get("/nowhere"), one.get("/jobs?before=x"), one.get("/style.css"),
                  one.get("/healthz"), one.get("/readyz")]  # fmt: skip
        found += one.seen
    one = portal.browser()
    one.post("/sign-in", {"user": "ann", "password": "wrong"})
    one.post("/sign-in", SIGN_IN)
    one.client.post("/sign-out", data={"seal": ""})
    return found + one.seen


def test_hole_14_and_15_what_each_answer_has_and_has_not(portal: Portal) -> None:
    """Headers that keep others out; no token, no password, no scripts, nothing of other hosts."""
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "unsafe" not in policy
    assert "script-src" not in policy
    secrets = {*portal.api.tokens.values(), PASSWORD}
    for answer in seen(portal):
        guarded(answer)
        assert not any(secret in answer.text for secret in secrets)
        assert not any(secret in str(answer.headers.get("location")) for secret in secrets)
        if "text/html" in answer.headers.get("content-type", ""):
            plain(read(answer.text).elements)
    assert not any(secret in target for secret in secrets for _, target in portal.asked.sent)


def guarded(answer: Any) -> None:
    style = "text/css" in answer.headers.get("content-type", "")
    for name, value in HEADERS.items():
        if not (style and name == "Cache-Control"):
            assert answer.headers[name] == value
    assert "access-control-allow-origin" not in answer.headers
    if style:
        assert "url(" not in answer.text and "@import" not in answer.text


def plain(elements: list[tuple[str, dict[str, str]]]) -> None:
    for tag, one in elements:
        assert tag not in {"script", "style", "iframe", "img", "object", "embed", "base"}
        assert not [name for name in one if name.startswith("on") or name == "style"]
        assert one.get("type") != "password" or not one.get("value")
        for name in ("href", "src", "action", "formaction"):
            assert re.match(r"$|[#/](?!/)", one.get(name, "")), (tag, one)


def test_what_is_too_large_or_of_unknown_length_is_refused(portal: Portal) -> None:
    ann = portal.browser("ann")
    assert ann.client.post("/jobs/new", content=b"x" * (LARGEST + 1)).status_code == 413
    assert ann.client.post("/jobs/new", content=iter([b"seal="])).status_code == 411
    many = "&".join(f"a{index}=1" for index in range(500))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for content in (many, b"a=%ff", b"\xff"):
        assert ann.client.post("/jobs/new", content=content, headers=headers).status_code == 422


def test_another_password_ends_all_sessions(portal: Portal) -> None:
    ann, other = portal.browser("ann"), portal.browser()
    other.post("/sign-in", SIGN_IN)
    given = {"old": PASSWORD, "new": "another long password", "again": "another long password"}
    wrong: list[tuple[dict[str, str], int]] = [
        ({"old": "x"}, 403), ({"again": "x"}, 422), ({"new": "short", "again": "short"}, 422),
    ]  # fmt: skip
    for change, code in wrong:
        answer = ann.post("/account", {**given, **change}, "/account")
        assert (answer.status_code, 'role="alert"' in answer.text) == (code, True)
    answer = ann.post("/account", given, "/account")
    assert answer.headers["location"] == "/sign-in?changed=true"
    assert "The password was changed" in ann.get("/sign-in?changed=true").text
    assert other.get("/jobs").headers["location"].startswith("/sign-in")
    new = portal.browser()
    signed = new.post("/sign-in", {"user": "ann", "password": "another long password"})
    assert signed.status_code == 303


def test_before_signing_in_each_browser_has_a_seal_of_its_own(portal: Portal) -> None:
    first, second = portal.browser(), portal.browser()
    seals = first.seal(), second.seal()
    assert seals[0] != seals[1] and first.seal() == seals[0]
    assert all(word in cookie(first.seen[0], VISIT) for word in ("; HttpOnly", "; Secure"))
    answer = second.client.post("/sign-in", data={**SIGN_IN, "seal": seals[0]})
    assert answer.status_code == 403


def test_over_http_nobody_gets_a_session(portal: Portal) -> None:
    plain = Browser(portal.browser().client)
    plain.client.base_url = "http://portal.example.org"
    seal = plain.seal()
    answer = plain.client.post("/sign-in", data={**SIGN_IN, "seal": seal})
    assert (answer.status_code, "over https" in answer.text) == (403, True)
