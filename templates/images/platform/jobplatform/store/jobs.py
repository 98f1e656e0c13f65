"""Jobs in the database. A status changes in one way only: `move`."""

from __future__ import annotations

import json
import uuid
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Row,
    and_,
    bindparam,
    func,
    insert,
    or_,
    select,
    tuple_,
    update,
)

from jobplatform.model import status
from jobplatform.model.reasons import Reason
from jobplatform.model.request import LEGACY_KINDS, Request
from jobplatform.store.database import Clock
from jobplatform.store.tables import job_events, jobs

Job = Row[Any]
_TOGETHER = 500


def _columns(*names: str) -> tuple[Column[Any], ...]:
    """Those that somebody needs: the driver takes its time for each column of each row."""
    return tuple(jobs.c[name] for name in names)


SHORT = _columns(
    "id", "jobId", "jobName", "userName", "vcName", "jobStatus", "priority", "attempt", "reason",
    "queuedAt", "startedAt", "endedAt",
)  # fmt: skip
"""What a list shows: none of the long columns."""
LEGACY = (*SHORT, *_columns("jobType", "jobTime"))
_ALL = (*LEGACY, *_columns("version", "jobParams", "placement", "retries"))
_MANAGED = _columns(
    "id", "jobId", "userName", "vcName", "jobStatus", "priority", "attempt", "reason", "queuedAt",
    "startedAt", "version", "jobParams", "placement", "retries",
)  # fmt: skip
_ONE = select(*_ALL).where(jobs.c.jobId == bindparam("number"))
_LIVE = select(*_MANAGED).where(jobs.c.jobStatus.in_(status.LIVE)).order_by(jobs.c.id)
_LATEST = select(func.max(job_events.c.id))
_ADD = insert(jobs).values(queuedAt=Clock()).inline()
_ADD_EVENT = insert(job_events).values(at=Clock()).inline()


def add(connection: Connection, request: Request, user: str) -> str:
    """A new job, and its number. It is ours: what a submitter gives for one is not looked at."""
    number = str(uuid.uuid4())
    values = {
        "jobId": number, "familyToken": uuid.uuid4().hex, "isParent": 1, "jobName": request.name,
        "userName": user, "vcName": request.vc, "jobStatus": status.UNAPPROVED,
        "jobType": "training", "jobParams": request.model_dump_json(),
        "priority": request.priority,
        "jobMeta": json.dumps({"jobtrainingtype": LEGACY_KINDS[request.kind]}),
    }  # fmt: skip
    connection.execute(_ADD, values)
    _event(connection, number, user, status.UNAPPROVED, None)
    return number


def find(connection: Connection, number: str) -> Job | None:
    return connection.execute(_ONE, {"number": number}).one_or_none()


def listing(
    connection: Connection, user: str | None, vcs: Collection[str] | None,
    states: Collection[str] = (), before: int | None = None, limit: int = 50,
    columns: Sequence[Column[Any]] = SHORT,
) -> Sequence[Job]:  # fmt: skip
    """The newest jobs: of a user, or of virtual clusters; None asks for all of them."""
    asked = select(*columns).order_by(jobs.c.id.desc()).limit(limit)
    if user is not None and vcs is not None:
        asked = asked.where(or_(jobs.c.userName == user, jobs.c.vcName.in_(vcs)))
    elif user is not None:
        asked = asked.where(jobs.c.userName == user)
    elif vcs is not None:
        asked = asked.where(jobs.c.vcName.in_(vcs))
    if states:
        asked = asked.where(jobs.c.jobStatus.in_(states))
    if before is not None:
        asked = asked.where(jobs.c.id < before)
    return connection.execute(asked).all()


def live(connection: Connection) -> Sequence[Job]:
    """All that the manager has to look at, in the order in which they came."""
    return connection.execute(_LIVE).all()


def counts(connection: Connection) -> dict[tuple[str, str], int]:
    """How many have not ended, by virtual cluster and state."""
    left = jobs.c.jobStatus.in_(status.LIVE | {status.PAUSED})
    asked = select(jobs.c.vcName, jobs.c.jobStatus, func.count()).where(left)
    found = connection.execute(asked.group_by(jobs.c.vcName, jobs.c.jobStatus))
    return {(vc, state): count for vc, state, count in found}


def move(
    connection: Connection, job: Job, to: str, actor: str, reason: Reason | None = None,
    **values: Any,
) -> bool:  # fmt: skip
    """Change the state from what was seen to another, and write down who did it and why. False:
    the job is no longer as it was seen, and nothing was changed."""
    seen = and_(
        jobs.c.jobId == job.jobId,
        jobs.c.jobStatus == job.jobStatus,
        jobs.c.version == job.version,
    )
    text = reason.stored() if reason else None
    changed = connection.execute(
        update(jobs)
        .where(seen)
        .values(jobStatus=to, version=job.version + 1, reason=text, **values)
    )
    if changed.rowcount != 1:
        return False
    _event(connection, job.jobId, actor, to, text)
    return True


def explain(connection: Connection, job: Job, reason: Reason) -> bool:
    """Write why a job waits, where it is something else than what stands there."""
    if job.reason == reason.stored():
        return False
    seen = and_(jobs.c.jobId == job.jobId, jobs.c.version == job.version)
    return bool(
        connection.execute(update(jobs).where(seen).values(reason=reason.stored())).rowcount
    )


def explain_all(connection: Connection, told: Iterable[tuple[Job, str]]) -> None:
    """The same for many at once, with reasons as they are stored: jobs of one reason take one
    statement, or one for each few hundred."""
    alike: dict[str, list[Job]] = {}
    for job, text in told:
        if job.reason != text:
            alike.setdefault(text, []).append(job)
    for text, found in alike.items():
        for begin in range(0, len(found), _TOGETHER):
            some = [(job.id, job.version) for job in found[begin : begin + _TOGETHER]]
            seen = and_(jobs.c.id.in_([number for number, _ in some]),
                        tuple_(jobs.c.id, jobs.c.version).in_(some))  # fmt: skip
            connection.execute(update(jobs).where(seen).values(reason=text))


def prioritise(connection: Connection, job: Job, priority: int, actor: str) -> None:
    connection.execute(update(jobs).where(jobs.c.jobId == job.jobId).values(priority=priority))
    _event(connection, job.jobId, actor, f"priority {priority}", None)


def events(connection: Connection, number: str) -> Sequence[Row[Any]]:
    asked = select(job_events).where(job_events.c.jobId == number).order_by(job_events.c.id)
    return connection.execute(asked).all()


def latest(connection: Connection) -> int:
    """The number of the newest event: another one, where a job has changed."""
    return connection.execute(_LATEST).scalar_one() or 0


def _event(connection: Connection, number: str, actor: str, to: str, text: str | None) -> None:
    values = {"jobId": number, "actor": actor, "status": to, "reason": text}
    connection.execute(_ADD_EVENT, values)
