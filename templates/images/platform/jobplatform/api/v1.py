"""/api/v1: jobs."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Query

from jobplatform.api import actions, security, shapes
from jobplatform.api.security import Me, Reader, Writer
from jobplatform.api.threads import Route
from jobplatform.model import rights
from jobplatform.model.request import Request
from jobplatform.model.rights import COLLABORATOR
from jobplatform.store import jobs, vcs

router = APIRouter(route_class=Route, prefix="/api/v1/jobs", tags=["jobs"])
Word = Annotated[str, Query(max_length=20, pattern=r"^[a-z]+\z")]


@router.post("", status_code=201)
def submit(request: Request, me: Me, connection: Writer) -> shapes.Created:
    """Submit a job to a virtual cluster."""
    return shapes.Created(id=actions.submit(connection, me, request))


@router.get("")
def listing(
    me: Me, connection: Reader, vc: Annotated[str | None, Query(max_length=255)] = None,
    mine: bool = False, status: Annotated[list[Word], Query(max_length=20)] = [],  # noqa: B006
    before: Annotated[int | None, Query(ge=0)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> shapes.Page:  # fmt: skip
    """The newest jobs: your own, and those of virtual clusters in which you may see all."""
    names = [vc] if vc is not None else vcs.names(connection)
    open_to = [name for name in names if me.may(COLLABORATOR, rights.vc(name))]
    if vc is not None and not mine and not open_to:
        raise HTTPException(403, "this needs a collaborator of the virtual cluster")
    user = None if vc is not None and not mine else me.name
    rows = jobs.listing(connection, user, None if mine else open_to, status, before, limit)
    following = rows[-1].id if len(rows) == limit else None
    return shapes.Page(jobs=[shapes.job(row) for row in rows], next=following)


@router.get("/{number}")
def show(number: str, me: Me, connection: Reader) -> shapes.Detail:
    """A job, with what was asked for and why it waits or how it ended."""
    return shapes.detail(security.job(connection, me, number))


@router.get("/{number}/events")
def events(number: str, me: Me, connection: Reader) -> list[shapes.Event]:
    """What happened to a job, by whom and why, oldest first."""
    found = security.job(connection, me, number)
    return [
        shapes.Event(at=row.at, actor=row.actor, status=row.status,
                     reason=shapes.reason(row.reason))
        for row in jobs.events(connection, found.jobId)
    ]  # fmt: skip


@router.post("/{number}/{verb}")
def ask(
    number: str, verb: Literal["stop", "pause", "resume", "approve"], me: Me, connection: Writer
) -> shapes.Status:
    """Stop, pause, resume or approve a job."""
    return shapes.Status(status=actions.ask(connection, me, number, verb))


@router.put("/{number}/priority", status_code=204)
def prioritise(number: str, wanted: shapes.Priority, me: Me, connection: Writer) -> None:
    """Give a job another priority: owners up to 200, administrators up to 1000."""
    actions.prioritise(connection, me, number, wanted.priority)
