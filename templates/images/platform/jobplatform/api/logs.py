"""/api/v1: logs of jobs, from the share on which they are kept, and from the workers' nodes."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request

from jobplatform import kept
from jobplatform.api import security, shapes
from jobplatform.api.security import Me
from jobplatform.api.threads import Route
from jobplatform.kubernetes import Logs, Refused
from jobplatform.model import logs, names, status
from jobplatform.model.logs import Cursor, Piece
from jobplatform.store.database import reading
from jobplatform.store.jobs import Job

router = APIRouter(route_class=Route, prefix="/api/v1/jobs", tags=["jobs"])


@router.get("/{number}/log")
def log(
    number: str, me: Me, request: Request,
    worker: Annotated[int, Query(ge=0, le=1023)] = 0,
    after: Annotated[str, Query(max_length=50)] = "",
    tail: Annotated[int | None, Query(ge=1, le=10_000)] = None,
) -> shapes.Log:  # fmt: skip
    """What a worker printed, from a cursor on; without one, all of it, or the last lines (`tail`).
    A job that is tried again begins a new log, with which it goes on by itself. The state is as it
    was before the log was read."""
    source: Logs | None = request.app.state.logs
    if source is None:
        raise HTTPException(501, "this API was started without Kubernetes: it has no logs")
    with reading(security.engine(request)) as connection:
        found = security.job(connection, me, number)
    both = Source(source, request.app.state.kept)
    at = _begin(after, found.attempt)
    piece = _last(both, found, worker, tail) if tail and not after else None
    piece = piece or _read(both, found, worker, at)
    return shapes.Log(
        text=piece.text, cursor=str(piece.cursor), status=found.jobStatus,
        more=piece.more or piece.cursor.attempt < found.attempt,
    )  # fmt: skip


def _begin(after: str, attempt: int) -> Cursor:
    try:
        return logs.cursor(after) if after else Cursor(attempt)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None


@dataclass(frozen=True)
class Source:
    """Where logs are: on the nodes, and on a share where that is so."""

    nodes: Logs
    kept: Path | None


def _read(source: Source, job: Job, worker: int, at: Cursor) -> Piece:
    """The rest of the attempt at the cursor; where there is none, the beginning of the newest."""
    piece = _of_attempt(source, job, worker, at) if at.attempt else Piece("", at)
    if piece.text or at.attempt >= job.attempt:
        return piece
    return _of_attempt(source, job, worker, Cursor(job.attempt))


def _last(source: Source, job: Job, worker: int, count: int) -> Piece | None:
    """The last lines of the newest attempt; None where there are none yet."""
    at = Cursor(job.attempt)
    found = kept.path(source.kept, job.jobId, job.attempt, worker) if source.kept else None
    if found and found.exists():
        lines = kept.last(found, count)
    else:
        pod = names.worker(job.jobId, job.attempt, worker)
        try:
            given = source.nodes.log(names.namespace(job.vcName), pod, "")
        except Refused:
            return None
        lines = iter(deque(given or (), count))
    piece = logs.after(lines, at)
    return piece if piece.text else None


_LAG = 5
"""Seconds in which the collector of a node surely brings what was printed there."""


def _of_attempt(source: Source, job: Job, worker: int, at: Cursor) -> Piece:
    """What is kept comes first: a node has only the newest of what a worker printed. Behind that,
    the node is asked, where nothing more will come or should have come by now."""
    found = kept.path(source.kept, job.jobId, at.attempt, worker) if source.kept else None
    age = kept.age(found, time.time()) if found else None
    if found is None or age is None:
        return _of_node(source.nodes, job, worker, at)
    piece = logs.after(kept.lines(found, at.at), at)
    ended = job.jobStatus in status.ENDED
    if piece.text:
        return replace(piece, more=piece.more or ended)  # the node may have the rest
    if not ended and age < _LAG:
        return piece
    try:
        return _of_node(source.nodes, job, worker, at)
    except HTTPException:  # the node has it no more; all of it is kept
        return piece


def _of_node(source: Logs, job: Job, worker: int, at: Cursor) -> Piece:
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
