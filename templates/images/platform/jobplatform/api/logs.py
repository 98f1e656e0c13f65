"""/api/v1: logs of jobs, from the nodes on which their workers are or were."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request

from jobplatform.api import security, shapes
from jobplatform.api.security import Me
from jobplatform.kubernetes import Logs, Refused
from jobplatform.model import logs, names, status
from jobplatform.model.logs import Cursor, Piece
from jobplatform.store.database import reading
from jobplatform.store.jobs import Job

router = APIRouter(prefix="/api/v1/jobs", tags=["jobs"])


@router.get("/{number}/log")
def log(
    number: str, me: Me, request: Request,
    worker: Annotated[int, Query(ge=0, le=1023)] = 0,
    after: Annotated[str, Query(max_length=50)] = "",
) -> shapes.Log:  # fmt: skip
    """What a worker printed, from a cursor on. A job that is tried again begins a new log, with
    which it goes on by itself. The state is as it was before the log was read."""
    source: Logs | None = request.app.state.logs
    if source is None:
        raise HTTPException(501, "this API was started without Kubernetes: it has no logs")
    with reading(security.engine(request)) as connection:
        found = security.job(connection, me, number)
    piece = _read(source, found, worker, _begin(after, found.attempt))
    return shapes.Log(
        text=piece.text, cursor=str(piece.cursor), status=found.jobStatus,
        more=piece.more or piece.cursor.attempt < found.attempt,
    )  # fmt: skip


def _begin(after: str, attempt: int) -> Cursor:
    try:
        return logs.cursor(after) if after else Cursor(attempt)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


def _read(source: Logs, job: Job, worker: int, at: Cursor) -> Piece:
    """The rest of the attempt at the cursor; where there is none, the beginning of the newest."""
    piece = _of_attempt(source, job, worker, at) if at.attempt else Piece("", at)
    if piece.text or at.attempt >= job.attempt:
        return piece
    return _of_attempt(source, job, worker, Cursor(job.attempt))


def _of_attempt(source: Logs, job: Job, worker: int, at: Cursor) -> Piece:
    pod = names.worker(job.jobId, at.attempt, worker)
    try:
        lines = source.log(names.namespace(job.vcName), pod, at.since)
        if lines is not None:
            return logs.after(lines, at)
    except Refused as error:  # the container has not begun, or its files are gone
        if job.jobStatus in status.ENDED and not at.at:
            raise HTTPException(410, f"there is no log of {pod} any more: {error}") from None
        return Piece("", at)
    if job.jobStatus in status.ENDED and not at.at and at.attempt == job.attempt:
        raise HTTPException(
            410, "its log is gone: it is there while a job runs, and for an hour after its end"
        )
    return Piece("", at)
