"""Who visits: the token in a cookie, the seal that each form carries, and the language.

A seal is made of the session's token (before signing in, of a random number in a cookie), which no
foreign page knows; so no foreign page can make a form that counts.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request, Response

from jobplatform.portal.backend import Backend, Refusal, ask
from jobplatform.portal.words import chosen

SESSION, VISIT, LANGUAGE = "__Host-dlws", "__Host-dlws-visit", "__Host-dlws-language"
ONWARD = "__Host-dlws-onward"
"""Where somebody goes on after signing in at a provider."""
_TOKEN = re.compile(r"[\x21-\x7e]{20,200}")
_VISIT = re.compile(r"[A-Za-z0-9_-]{40,60}")
_HERE = re.compile(r"/(?:[\x21\x23-\x2e\x30-\x5b\x5d-\x7e][\x21-\x5b\x5d-\x7e]*)?")
"""A place of this portal's: neither // nor a backslash leads to another host."""
_FIELDS = 200


@dataclass
class Visitor:
    """A person with a browser; `token` is empty before signing in."""

    backend: Backend
    token: str
    visit: str
    language: str
    place: str
    new: bool = False

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        return ask(self.backend, self.token, method, path, body, **query)

    @cached_property
    def me(self) -> dict[str, Any]:
        """Who this is and what this person may do, as the API says at this moment."""
        found: dict[str, Any] = self.ask("GET", "/api/v1/me")
        return found

    @property
    def seal(self) -> str:
        key = (self.token or self.visit).encode()
        return hmac.new(key, b"forms of the portal", hashlib.sha256).hexdigest()


def visitor(request: Request) -> Visitor:
    cookies = request.cookies
    token, visit = cookies.get(SESSION, ""), cookies.get(VISIT, "")
    new = not _VISIT.fullmatch(visit)
    query = f"?{request.url.query}" if request.url.query else ""
    return Visitor(
        request.app.state.backend, token if _TOKEN.fullmatch(token) else "",
        secrets.token_urlsafe(32) if new else visit,
        chosen(cookies.get(LANGUAGE, ""), request.headers.get("accept-language", "")),
        here(request.url.path + query), new,
    )  # fmt: skip


Anybody = Annotated[Visitor, Depends(visitor)]


def signed_in(one: Anybody) -> Visitor:
    if not one.token:
        raise Refusal(401, "sign in first")
    return one


SignedIn = Annotated[Visitor, Depends(signed_in)]


def administrator(one: SignedIn) -> Visitor:
    if not one.me["administrator"]:
        raise Refusal(403, "this needs an administrator of the cluster")
    return one


Admin = Annotated[Visitor, Depends(administrator)]


async def form(request: Request, one: Anybody) -> dict[str, str]:
    """The fields of a form that this portal gave to this very session."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "send a form")
    try:
        text = (await request.body()).decode()
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_FIELDS)
    except ValueError:
        raise HTTPException(422, "this is no form") from None
    found = dict(pairs)
    if not hmac.compare_digest(found.pop("seal", "").encode(), one.seal.encode()):
        raise Refusal(403, "this form is not of your session: open the page again, over https, "
                      "with cookies allowed")  # fmt: skip
    return found


Form = Annotated[dict[str, str], Depends(form)]


def here(place: str) -> str:
    """A place of this portal's, or its first page for what leads elsewhere."""
    return place if len(place) < 2000 and _HERE.fullmatch(place) else "/"


def keep(answer: Response, name: str, value: str, seconds: int | None = None) -> None:
    answer.set_cookie(name, value, seconds, path="/", secure=True, httponly=True, samesite="lax")


def forget(answer: Response, name: str) -> None:
    answer.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")
