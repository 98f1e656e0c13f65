"""/api/v1: signing in by a provider: OpenID Connect, or WeChat."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Request
from pydantic import Field

from jobplatform.api import security, shapes
from jobplatform.api.security import Me, Reader, Writer, engine
from jobplatform.api.threads import Route
from jobplatform.model.signin import SIGNED_IN, SignIn, Way
from jobplatform.signin.oidc import Oidc
from jobplatform.signin.proof import Asked, Proof, Provider, Rejected
from jobplatform.signin.web import Https, Web
from jobplatform.signin.wechat import Wechat
from jobplatform.store import entry, people, signins
from jobplatform.store.database import changing

router = APIRouter(route_class=Route, prefix="/api/v1", tags=["people"])
_LOG = logging.getLogger("jobplatform")
Word = Annotated[str, Field(min_length=20, max_length=200, pattern=r"^[\x21-\x7e]+\z")]


class Begin(shapes.Strict):
    """`browser`: what only the browser knows that signs in, and shows again when it comes back."""

    browser: Word


class Back(Begin):
    """What the provider sent the browser back with."""

    state: Word
    code: Annotated[str, Field(min_length=1, max_length=4096)]
    iss: Annotated[str, Field(max_length=255)] = ""


@dataclass(frozen=True)
class Ways:
    """What an administrator set up, and those who speak with the providers."""

    told: SignIn
    providers: Mapping[str, Provider]


def ways(told: SignIn, web: Web | None = None) -> Ways:
    if not told.ways:
        return Ways(told, {})
    asks = web or Https(told.ca)
    return Ways(told, {one.name: _provider(one, asks) for one in told.ways})


def _provider(way: Way, web: Web) -> Provider:
    return Wechat(way, web) if way.kind == "wechat" else Oidc(way, web)


def _way(request: Request, name: str) -> tuple[SignIn, Way, Provider]:
    found: Ways = request.app.state.ways
    way = found.told.way(name)
    if way is None:
        raise HTTPException(404, "there is no such way to sign in")
    return found.told, way, found.providers[name]


@router.get("/sign-in")
def listing(request: Request) -> dict[str, Any]:
    """The ways to sign in beside name and password, and the portal's address."""
    told: SignIn = request.app.state.ways.told
    return {"address": told.address,
            "ways": [{"name": one.name, "title": one.title} for one in told.ways]}  # fmt: skip


@router.post("/sign-in/{name}")
def begin(name: str, given: Begin, request: Request) -> dict[str, str]:
    """Where to send the browser, so that a person signs in at the provider."""
    return _begin(request, name, given.browser, "")


@router.post("/sign-in/{name}/connect")
def connect(name: str, given: Begin, me: Me, request: Request) -> dict[str, str]:
    """The same, so that one's own account can be signed in to by the provider, too."""
    return _begin(request, name, given.browser, me.name)


def _begin(request: Request, name: str, browser: str, user: str) -> dict[str, str]:
    told, way, provider = _way(request, name)
    state, nonce, verifier = (secrets.token_urlsafe(40) for _ in range(3))
    asked = Asked(state, nonce, verifier, told.back(way))
    address = provider.address(asked)
    with changing(engine(request)) as connection:
        signins.begin(connection, name, state, browser, nonce, verifier, user)
    return {"address": address}


@router.post("/sign-in/{name}/return")
def finish(name: str, given: Back, request: Request) -> dict[str, str]:
    """A token for whom the provider vouches. What was begun counts once, for the same browser."""
    told, way, provider = _way(request, name)
    with changing(engine(request)) as connection:
        row = signins.take(connection, name, given.state, given.browser)
    if row is None:
        raise HTTPException(401, "this sign-in was not begun here, or has ended: begin it again")
    asked = Asked(given.state, row.nonce, row.verifier, told.back(way))
    try:
        proof = provider.proof(asked, given.code, given.iss)
    except Rejected as error:
        _LOG.warning("signing in by %s was refused: %s", name, error)
        raise HTTPException(401, f"{way.title} did not prove who you are: begin again") from None
    if row.userName:
        return _connected(request, way, row.userName, proof)
    return _let_in(request, told, way, proof)


def _connected(request: Request, way: Way, user: str, proof: Proof) -> dict[str, str]:
    """Whoever began this has to be signed in still."""
    if security.holder(engine(request), security.bearer(request)).name != user:
        raise HTTPException(403, "another person began this")
    with changing(engine(request)) as connection:
        signins.bind(connection, proof.issuer, proof.subject, user)
        people.record(connection, user, f"connect {way.name}", user)
    return {"user": user, "token": ""}


def _let_in(request: Request, told: SignIn, way: Way, proof: Proof) -> dict[str, str]:
    with changing(engine(request)) as connection:
        groups = None if proof.groups is None else list(proof.groups)
        user = entry.enter(connection, told, way, proof.issuer, proof.subject, proof.name, groups)
        token = people.give_token(connection, user, f"signed in by {way.name}", SIGNED_IN)
    return {"user": user, "token": token}


@router.get("/connections")
def connections(me: Me, connection: Reader) -> list[dict[str, Any]]:
    """The providers by which you are known."""
    return [dict(row._mapping) for row in signins.listed(connection, me.name)]


@router.delete("/connections/{number}", status_code=204)
def disconnect(number: int, me: Me, connection: Writer) -> None:
    """Be known by a provider no longer; this needs a password of your own."""
    if not people.has_password(connection, me.name):
        raise HTTPException(409, "you have no password here: you could not sign in any more")
    if not signins.unbind(connection, me.name, number):
        raise HTTPException(404, "you have no such connection")
    people.record(connection, me.name, "disconnect", me.name)
