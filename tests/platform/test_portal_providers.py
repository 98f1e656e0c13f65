"""Signing in by a provider in the portal: the browser goes there and comes back, or does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from jobplatform.api.app import create as create_api
from jobplatform.portal.app import create
from jobplatform.portal.visitor import ONWARD, SESSION, VISIT
from jobplatform.store import people
from jobplatform.store.database import changing
from tests.support.platform.clients import PASSWORD, Api, settle
from tests.support.platform.keys import ED25519
from tests.support.platform.kubernetes import FakeKubernetes
from tests.support.platform.portals import SITE, Asked, Browser, Portal, read
from tests.support.platform.provider import Provider, provider, told

__all__ = ["provider"]


@pytest.fixture
def portal(database: Engine, provider: Provider) -> Iterator[Portal]:
    settings = told(provider.issuer, SITE)
    with TestClient(create_api(database, told=settings), raise_server_exceptions=False) as client:
        api = Api(database, client, settle(database))
        asked = Asked(client)
        yield Portal(api, asked, FakeKubernetes(), create(asked))


def sent(answer: Any) -> str:
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def back(provider: Provider, address: str, **change: str) -> str:
    """Where the browser comes back to, once the person consented there."""
    query = "&".join(f"{k}={v}" for k, v in {**provider.consent(address), **change}.items())
    return f"{urlsplit(parse_qs(urlsplit(address).query)['redirect_uri'][0]).path}?{query}"


def test_a_person_goes_to_the_provider_and_comes_back_signed_in(
    portal: Portal, provider: Provider
) -> None:
    one = portal.browser()
    page = read(one.get("/sign-in?next=%2Fjobs%3Fvc%3Da").text)
    links = [it["href"] for tag, it in page.elements if it.get("class") == "way"]
    assert links[0] == "/sign-in/with/corp?next=/jobs%3Fvc%3Da"
    assert "Corp <b>" in page.text  # as text
    address = sent(one.get(links[0]))
    assert address.startswith(f"{provider.issuer}/authorize?")
    answer = one.get(back(provider, address))
    assert sent(answer) == "/jobs?vc=a"
    assert not {ONWARD, VISIT} & set(one.client.cookies)
    assert "new@example.org" in one.get("/account").text


@pytest.mark.parametrize(
    "onward", ["//evil.example.org", "https://evil.example.org", "/\\evil", ""]
)
def test_coming_back_leads_nowhere_else(portal: Portal, provider: Provider, onward: str) -> None:
    one = portal.browser()
    address = sent(one.get("/sign-in/with/corp", params={"next": onward}))
    assert sent(one.get(back(provider, address))) == "/"
    other = portal.browser()
    address = sent(other.get("/sign-in/with/corp"))
    other.client.cookies.set(ONWARD, "https%3A%2F%2Fevil.example.org", domain="portal.example.org")
    assert sent(other.get(back(provider, address))) == "/"


def test_what_one_browser_began_no_other_finishes(portal: Portal, provider: Provider) -> None:
    """Nor can anybody be signed in as somebody else by a link."""
    begun = back(provider, sent(portal.browser().get("/sign-in/with/corp")))
    other = portal.browser()
    other.get("/sign-in")
    answer = other.get(begun)
    assert (answer.status_code, SESSION in other.client.cookies) == (401, False)
    assert "begin it again" in answer.text


def test_a_refusal_is_told_on_the_page_for_signing_in(portal: Portal, provider: Provider) -> None:
    one = portal.browser()
    provider.who["email"] = "eve@stranger.org"
    answer = one.get(back(provider, sent(one.get("/sign-in/with/corp"))))
    assert (answer.status_code, 'role="alert"' in answer.text) == (403, True)
    assert "eve@stranger.org is not known here" in answer.text
    for path in ("?error=access_denied&error_description=<b>", "?state=x&code=", "", "?code=x"):
        answer = one.get(f"/sign-in/return/corp{path}")
        assert answer.status_code in {401, 422} and "<b>" not in answer.text
    assert one.get("/sign-in/with/nowhere").status_code == 404
    assert one.get("/sign-in/return/nowhere?code=x&state=" + "y" * 30).status_code == 404


def test_by_another_name_a_browser_goes_to_the_portals_own_first(portal: Portal) -> None:
    one = portal.browser()
    one.client.base_url = "https://10.0.0.7"
    address = sent(one.get("/sign-in/with/corp?next=/vcs"))
    assert address == f"{SITE}/sign-in/with/corp?moved=true&next=%2Fvcs"
    assert "authorize?" in sent(one.get("/sign-in/with/corp?moved=true"))


def test_an_account_is_connected_from_its_page(portal: Portal, provider: Provider) -> None:
    with changing(portal.api.engine) as connection:
        people.set_password(connection, "bob", PASSWORD)
        portal.api.tokens["bob"] = people.give_token(connection, "bob", "x", 3600)
    bob, address = portal.browser("bob"), ""
    for seal in ({"seal": "0" * 64}, {}):
        answer = bob.post("/account/connect/wechat", seal, "/account")
        if seal:
            assert answer.status_code == 403
            continue
        links = [it["href"] for tag, it in read(answer.text).elements if tag == "a"]
        (address,) = [link for link in links if link.startswith(provider.issuer)]
    assert sent(bob.get(back(provider, address))) == "/account"
    page = bob.get("/account").text
    (found,) = [
        it["action"] for _, it in read(page).elements if "disconnect" in str(it.get("action"))
    ]
    new = portal.browser()
    assert sent(new.get(back(provider, sent(new.get("/sign-in/with/wechat"))))) == "/"
    assert ">bob<" in new.get("/account").text
    assert sent(bob.post(found, {}, "/account")) == "/account"
    assert "disconnect" not in bob.get("/account").text


def test_a_provider_that_is_away_is_told(portal: Portal, provider: Provider) -> None:
    provider.away = True
    answer = portal.browser().get("/sign-in/with/corp")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def form(one: Browser, path: str, fields: Mapping[str, str]) -> Any:
    return one.post(path, fields, "/keys")


def test_keys_and_tokens_in_the_portal(portal: Portal) -> None:
    ann = portal.browser("ann")
    assert sent(form(ann, "/keys", {"key": f"{ED25519} <i>laptop", "title": ""})) == "/keys"
    page = ann.get("/keys").text
    assert "&lt;i&gt;laptop" in page and "SHA256:" in page
    private = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA"
    answer = form(ann, "/keys", {"key": private, "title": "<u>"})
    assert (answer.status_code, "AAAA" in answer.text) == (422, False)
    assert 'value="&lt;u&gt;"' in answer.text
    answer = form(ann, "/keys/tokens", {"label": "ci", "days": "x"})
    assert (answer.status_code, 'value="ci"' in answer.text) == (422, True)
    answer = form(ann, "/keys/tokens", {"label": "ci", "days": "7"})
    token = next(word for word in read(answer.text).text.split() if word.startswith("dlws_"))
    portal.api.tokens["ci"] = token
    assert portal.api("ci", "GET", "/api/v1/me").json()["user"] == "ann"
    assert token not in ann.get("/keys").text
    (key,) = portal.api("ann", "GET", "/api/v1/keys").json()
    number = next(it["id"] for it in portal.api("ann", "GET", "/api/v1/tokens").json()
                  if it["label"] == "ci")  # fmt: skip
    assert sent(form(ann, f"/keys/{key['id']}", {})) == "/keys"
    assert sent(form(ann, f"/keys/tokens/{number}", {})) == "/keys"
    assert "laptop" not in ann.get("/keys").text
    assert portal.api("ci", "GET", "/api/v1/me").status_code == 401
    assert form(ann, f"/keys/{key['id']}", {}).status_code == 404
    assert form(ann, "/keys/tokens/..%2Fx", {}).status_code in {404, 422}


def test_pages_that_forms_led_to_can_be_opened_again(portal: Portal) -> None:
    """A button for another language is on them, and leads to where they are."""
    ann = portal.browser("ann")
    pages = {"/keys/tokens": "/keys", "/keys/7": "/keys", "/language": "/",
             "/account/connect/corp": "/account", "/users/password": "/users"}  # fmt: skip
    assert {place: sent(ann.get(place)) for place in pages} == pages
