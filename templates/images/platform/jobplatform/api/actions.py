"""What both kinds of paths do: submit, and what a person may ask of a job."""

from __future__ import annotations

from fastapi import HTTPException
from sqlalchemy import Connection

from jobplatform.api import security
from jobplatform.model import rights
from jobplatform.model.reasons import Reason
from jobplatform.model.request import Request
from jobplatform.model.rights import ADMIN, Caller
from jobplatform.model.status import KILLING, PAUSING, QUEUED, VERBS
from jobplatform.store import jobs
from jobplatform.store.database import Clock

OWNERS_HIGHEST = 200
_TRIES = 5


def submit(connection: Connection, me: Caller, request: Request) -> str:
    """A new job of the caller's, which the manager will look at. It runs with the caller's
    numbers, so a person without any cannot submit."""
    security.may_use(connection, me, request.vc)
    if not me.numbered:
        raise HTTPException(409, "you have no uid yet: ask an administrator to add you")
    _priority(me, request.vc, request.priority)
    return jobs.add(connection, request, me.name)


def _priority(me: Caller, vc: str, priority: int) -> None:
    if priority > OWNERS_HIGHEST and not me.may(ADMIN, rights.vc(vc)):
        raise HTTPException(403, f"priorities above {OWNERS_HIGHEST} need an administrator")


def ask(connection: Connection, me: Caller, number: str, verb: str) -> str:
    """Stop, pause, resume or approve a job. The status is an intention: the manager does it."""
    to, possible = VERBS[verb]
    for _ in range(_TRIES):
        found = security.job(connection, me, number, change=True)
        if verb == "approve" and not me.may(ADMIN, rights.vc(found.vcName)):
            raise HTTPException(403, "only an administrator may approve a job")
        if found.jobStatus == to:
            return to
        if found.jobStatus not in possible:
            raise HTTPException(409, f"the job is {found.jobStatus}: it cannot {verb}")
        values = {"approved": 1, "queuedAt": Clock()} if to == QUEUED else {}
        if jobs.move(connection, found, to, me.name, _why(me, to), **values):
            return to
    raise HTTPException(409, "the job is changing now: ask again")


def _why(me: Caller, to: str) -> Reason | None:
    code = {KILLING: "killed", PAUSING: "paused"}.get(to)
    return Reason(code, {"actor": me.name}) if code else None


def prioritise(connection: Connection, me: Caller, number: str, priority: int) -> None:
    found = security.job(connection, me, number, change=True)
    _priority(me, found.vcName, priority)
    jobs.prioritise(connection, found, priority, me.name)
