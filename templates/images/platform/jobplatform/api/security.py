"""Who asks, and what that person may do. The bearer token is the only proof of identity."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import Depends, HTTPException, Query, Request
from sqlalchemy import Connection, Engine

from jobplatform.api.threads import Later
from jobplatform.model import rights
from jobplatform.model.rights import ADMIN, COLLABORATOR, USER, Caller
from jobplatform.store import jobs, people, vcs
from jobplatform.store.database import changing, reading

_NUMBER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,49}")
_TOKEN = re.compile(r"[\x21-\x7e]{20,200}")


def engine(request: Request) -> Engine:
    found: Engine = request.app.state.engine
    return found


async def reader(request: Request) -> Later:
    return Later(lambda opened: opened.enter_context(reading(engine(request))))


async def writer(request: Request) -> Later:
    return Later(lambda opened: opened.enter_context(changing(engine(request))))


Reader = Annotated[Connection, Depends(reader)]
Writer = Annotated[Connection, Depends(writer)]


def bearer(request: Request) -> str:
    kind, _, value = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not _TOKEN.fullmatch(value):
        raise HTTPException(401, "sign in first", {"WWW-Authenticate": "Bearer"})
    return value


async def token(request: Request) -> str:
    request.state.token = bearer(request)
    return str(request.state.token)


Token = Annotated[str, Depends(token)]


def holder(engine: Engine, token: str) -> Caller:
    """The person whose token it is, with the rights of this moment."""
    with reading(engine) as connection:
        found = people.by_token(connection, token)
    if found is None:
        raise HTTPException(401, "this token is not valid", {"WWW-Authenticate": "Bearer"})
    return found


async def caller(value: Token, request: Request) -> Later:
    return Later(lambda opened: holder(engine(request), value))


Me = Annotated[Caller, Depends(caller)]


async def acting(
    value: Token, request: Request,
    user: Annotated[str, Query(alias="userName", max_length=255)] = "",
) -> Later:  # fmt: skip
    """The predecessor's paths name the user. It has to be the caller, or the caller an
    administrator of the cluster, who then acts as that person: this is written down."""
    return Later(lambda opened: _acting(request, holder(engine(request), value), user))


def _acting(request: Request, me: Caller, user: str) -> Caller:
    if user in {"", me.name}:
        return me
    if not me.administers:
        raise HTTPException(403, "userName is not the one who signed in")
    with changing(engine(request)) as connection:
        people.record(connection, me.name, f"act as for {request.url.path}", user)
        return people.caller(connection, user)


Acting = Annotated[Caller, Depends(acting)]


async def administrator(me: Annotated[Later, Depends(acting)]) -> Later:
    return Later(lambda opened: _administrator(me.find(opened)))


def _administrator(me: Caller) -> Caller:
    if not me.administers:
        raise HTTPException(403, "this needs an administrator of the cluster")
    return me


Admin = Annotated[Caller, Depends(administrator)]


def job(connection: Connection, me: Caller, number: str, change: bool = False) -> jobs.Job:
    """A job that the caller may see, or change. Others' jobs look as if there were none."""
    found = jobs.find(connection, number) if _NUMBER.fullmatch(number) else None
    if found is not None:
        mine, resource = found.userName == me.name, rights.vc(found.vcName)
        if mine or me.may(ADMIN if change else COLLABORATOR, resource):
            return found
        if change and me.may(COLLABORATOR, resource):
            raise HTTPException(403, "this needs the job's owner or an administrator")
    raise HTTPException(404, "there is no such job")


def vc(connection: Connection, me: Caller, name: str) -> Any:
    """A virtual cluster that the caller may use."""
    found = vcs.find(connection, name) if me.may(USER, rights.vc(name)) else None
    if found is None:
        raise _no_vc()
    return found


def _no_vc() -> HTTPException:
    return HTTPException(404, "there is no such virtual cluster")


def may_use(connection: Connection, me: Caller, name: str) -> None:
    """Whether there is such a virtual cluster that the caller may use, without reading it."""
    if not me.may(USER, rights.vc(name)) or not vcs.there(connection, name):
        raise _no_vc()
