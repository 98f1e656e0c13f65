"""Signing in by a provider, and connecting one to one's account.

The browser goes to the provider, and comes back with a code that the API compares. What was begun
is bound to a cookie of this very browser, so that nobody can make another one finish it.
"""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote, urlencode, urlsplit

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import RedirectResponse

from jobplatform.portal.account import entered, entrance_page
from jobplatform.portal.backend import Refusal, part
from jobplatform.portal.pages import go, page
from jobplatform.portal.visitor import (
    ONWARD,
    VISIT,
    Anybody,
    Form,
    SignedIn,
    Visitor,
    forget,
    here,
    keep,
)

router = APIRouter()
_LASTS = 600
Name = Annotated[str, Path(max_length=31)]
Told = Annotated[str, Query(max_length=4096)]


@router.get("/sign-in/with/{name}")
def begin(
    name: Name, one: Anybody, request: Request, moved: bool = False,
    onward: Annotated[str, Query(alias="next", max_length=6000)] = "/",
) -> Response:  # fmt: skip
    """To the provider. Whoever called the portal by another name goes to its own one first, as the
    provider leads back there alone, and cookies are each name's own."""
    address, place = one.ask("GET", "/api/v1/sign-in")["address"], here(onward)
    if not moved and urlsplit(address).hostname != request.url.hostname:
        tail = urlencode({"moved": "true", "next": place})
        return _away(f"{address}/sign-in/with/{part(name)}?{tail}")
    answer = _away(_address(one, f"/api/v1/sign-in/{part(name)}"))
    keep(answer, ONWARD, quote(place, safe=""), _LASTS)
    keep(answer, VISIT, one.visit)
    return answer


def _away(address: str) -> Response:
    return RedirectResponse(address, 303)


def _address(one: Visitor, path: str) -> str:
    """Where the provider is; a link to it runs nothing here."""
    found = str(one.ask("POST", path, {"browser": one.visit})["address"])
    if not found.startswith(("https://", "http://")):
        raise Refusal(502, "the provider's address is none")
    return found


@router.get("/sign-in/return/{name}")
def finish(
    name: Name, one: Anybody, request: Request, code: Told = "", state: Told = "", iss: Told = "",
    error: Told = "",
) -> Response:  # fmt: skip
    """Back from the provider: a session, or the words why there is none."""
    onward = here(unquote(request.cookies.get(ONWARD, "/")))
    try:
        if error or not code:
            raise Refusal(401, "you did not sign in at the provider")
        asked = {"browser": one.visit, "state": state, "code": code, "iss": iss}
        found = one.ask("POST", f"/api/v1/sign-in/{part(name)}/return", asked)
    except Refusal as refused:
        if refused.status not in {401, 403, 404, 409, 422}:
            raise
        answer = entrance_page(one, onward, refused)
    else:
        answer = entered(onward, found["token"]) if found["token"] else go("/account")
    forget(answer, ONWARD)
    return answer


@router.post("/account/connect/{name}")
def connect(name: Name, one: SignedIn, given: Form) -> Response:
    """A page that leads to the provider: browsers let no form of ours lead there itself."""
    address = _address(one, f"/api/v1/sign-in/{part(name)}/connect")
    answer = page(one, "connect.html", me=one.me, address=address)
    keep(answer, VISIT, one.visit)
    return answer


@router.post("/account/disconnect/{number}")
def disconnect(number: str, one: SignedIn, given: Form) -> Response:
    one.ask("DELETE", f"/api/v1/connections/{part(number)}")
    return go("/account")
