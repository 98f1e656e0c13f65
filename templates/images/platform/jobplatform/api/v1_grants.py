"""/api/v1: signing in on a machine without a browser (RFC 8628, in JSON). The program begins and
asks; the person, who is signed in elsewhere, types the code that it shows and answers."""

from __future__ import annotations

import logging
from typing import Annotated

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from jobplatform.api import shapes
from jobplatform.api.security import Me, engine
from jobplatform.api.threads import Route
from jobplatform.model import grant
from jobplatform.model.signin import SIGNED_IN
from jobplatform.store import grants, people
from jobplatform.store.database import changing, reading

router = APIRouter(route_class=Route, prefix="/api/v1/device-grants", tags=["people"])
_LOG = logging.getLogger("jobplatform")
_NONE = "no program waits with this code: look whether it is typed as it is shown there"


class Begin(shapes.Strict):
    """`machine`: what the program calls itself; the person sees it."""

    machine: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,127}\z")]


class Begun(BaseModel):
    """`device_code` is the program's own; `user_code` it shows, with the address. Times in
    seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: int
    interval: int


class Ask(shapes.Strict):
    device_code: Annotated[str, Field(min_length=20, max_length=200, pattern=r"^[\x21-\x7e]+\z")]


class Token(BaseModel):
    access_token: str
    token_type: str = "Bearer"
    expires_in: int


class NotYet(BaseModel):
    """Why there is no token: `authorization_pending` and `slow_down` ask to go on, the others
    to end."""

    error: grant.Word
    detail: str


class Code(shapes.Strict):
    user_code: Annotated[str, Field(min_length=1, max_length=40)]


class Answer(Code):
    approve: bool


class Waiting(BaseModel):
    """A program that waits; `expires` in milliseconds."""

    machine: str
    user_code: str
    expires: int


@router.post("", status_code=201)
def begin(given: Begin, request: Request) -> Begun:
    """Begin to sign in on a machine without a browser."""
    address = request.app.state.ways.told.address
    if not address:
        raise HTTPException(404, "the API was not told where the portal is")
    with changing(engine(request)) as connection:
        device, code = grants.begin(connection, given.machine)
    return Begun(
        device_code=device, user_code=grant.shown(code), verification_uri=f"{address}/device",
        expires_in=grant.LASTS, interval=grant.PACE,
    )  # fmt: skip


@router.post("/token", response_model=Token, responses={400: {"model": NotYet}})
def token(given: Ask, request: Request) -> Token | JSONResponse:
    """The token of whom approved this: once. Until then, why there is none."""
    with changing(engine(request)) as connection:
        found = grants.ask(connection, given.device_code)
        if not isinstance(found, str):
            label = f"dlws on {found.machine}"
            value = people.give_token(connection, found.userName, label, SIGNED_IN)
            return Token(access_token=value, expires_in=SIGNED_IN)
    told = NotYet(error=found, detail=grant.SENTENCES[found])
    return JSONResponse(told.model_dump(), 400)


@router.post("/look")
def look(given: Code, me: Me, request: Request) -> Waiting:
    """Which program waits with a code. Whoever types many wrong ones has to wait."""
    _limited(request, me.name)
    with reading(engine(request)) as connection:
        row = grants.waiting(connection, given.user_code)
    if row is None:
        raise _unknown(request, me.name)
    code = grant.shown(grant.typed(given.user_code))
    return Waiting(machine=row.machine, user_code=code, expires=row.expires)


@router.post("/answer", status_code=204)
def answer(given: Answer, me: Me, request: Request) -> None:
    """Let the program act as you until its token ends, or refuse it."""
    _limited(request, me.name)
    with changing(engine(request)) as connection:
        machine = grants.answer(connection, given.user_code, me.name, given.approve)
        if machine is not None:
            verb = "approve" if given.approve else "refuse"
            people.record(connection, me.name, f"{verb} a sign-in on {machine}", me.name)
    if machine is None:
        raise _unknown(request, me.name)


def _limited(request: Request, user: str) -> None:
    with reading(engine(request)) as connection:
        if not grants.may_guess(connection, user):
            _LOG.warning("%s typed too many wrong codes of programs", user)
            words = "too many wrong codes: wait ten minutes"
            raise HTTPException(429, words, {"Retry-After": str(grant.LASTS)})


def _unknown(request: Request, user: str) -> HTTPException:
    with changing(engine(request)) as connection:
        grants.guessed(connection, user)
    return HTTPException(404, _NONE)
