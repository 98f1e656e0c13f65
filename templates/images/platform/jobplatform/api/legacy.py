"""The predecessor's paths that scripts know, with its answers; but who asks has to prove it.

Its GETs that change something stay GETs. They take the token from the header only, never from a
cookie, so that no foreign page can make a browser send them.
"""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Body, HTTPException, Query
from pydantic import TypeAdapter, ValidationError
from sqlalchemy import Connection

from jobplatform.api import actions, security, shapes, v1_people
from jobplatform.api.security import Acting, Admin, Reader, Writer
from jobplatform.api.threads import Route
from jobplatform.model import reasons, request, rights, status
from jobplatform.model.rights import ADMIN, COLLABORATOR, USER
from jobplatform.store import jobs, people, vcs

router = APIRouter(route_class=Route, tags=["predecessor's"])
JobId = Annotated[str, Query(alias="jobId", max_length=50)]
JobIds = Annotated[str, Query(alias="jobIds", max_length=20_000)]
Vc = Annotated[str, Query(alias="vcName", max_length=255)]
_VERBS = {"Kill": "stop", "Pause": "pause", "Resume": "resume", "Approve": "approve"}
_DONE = {"Kill": "killed", "Pause": "paused", "Resume": "resumed", "Approve": "approved"}


def parsed(kind: Any, value: Any) -> Any:
    """A value of a type, or the answer for one that is not."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        wrong = [{"loc": one["loc"], "msg": one["msg"]} for one in error.errors()]
        raise HTTPException(422, json.loads(json.dumps(wrong, default=str))) from None


def parsed_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise HTTPException(422, "this is no JSON") from None


@router.post("/PostJob")
def post_job(given: Annotated[dict[str, Any], Body()], me: Acting, connection: Writer) -> Any:
    if given.get("userName", me.name) != me.name:
        raise HTTPException(403, "userName is not the one who signed in")
    try:
        fields = request.from_legacy(given)
    except (ValueError, TypeError) as error:
        raise HTTPException(422, str(error)[:200]) from None
    asked = parsed(request.Request, fields)
    return {"jobId": actions.submit(connection, me, asked)}


@router.get("/ListJobs")
@router.get("/ListJobsV2")
def list_jobs(
    me: Acting, connection: Reader, name: Vc,
    owner: Annotated[str, Query(alias="jobOwner", max_length=255)] = "",
    num: Annotated[int, Query(ge=1, le=1000)] = 20,
) -> Any:  # fmt: skip
    everybody = owner == "all" and me.may(COLLABORATOR, rights.vc(name))
    user = None if everybody else me.name
    listing = partial(jobs.listing, connection, user, None, columns=jobs.LEGACY)
    active = listing(status.LIVE | {status.PAUSED}, limit=10_000)
    ended = listing(status.ENDED, limit=num * 10)
    mine = [row for row in active if row.vcName == name]
    done = [row for row in ended if row.vcName == name][:num]
    running = [_row(row) for row in mine if row.jobStatus == status.RUNNING]
    queued = [_row(row) for row in mine if row.jobStatus != status.RUNNING]
    return {"queuedJobs": queued, "runningJobs": running, "finishedJobs": [*map(_row, done)],
            "visualizationJobs": [], "meta": {"queuedJobs": len(queued),
            "runningJobs": len(running), "finishedJobs": len(done)}}  # fmt: skip


def _row(row: jobs.Job) -> dict[str, Any]:
    reason = reasons.read(row.reason)
    names = ("jobId", "jobName", "userName", "vcName", "jobStatus", "jobType", "priority")
    shown = {name: getattr(row, name) for name in names}
    detail = [{"message": reason.sentence}] if reason else []
    ended = row.jobStatus in status.ENDED and reason
    return {**shown, "jobTime": row.jobTime.isoformat(), "jobStatusDetail": detail,
            "errorMsg": reason.sentence if ended and reason else None}  # fmt: skip


@router.get("/GetJobDetail")
@router.get("/GetJobDetailV2")
def job_detail(me: Acting, connection: Reader, number: JobId) -> Any:
    found = security.job(connection, me, number)
    asked = shapes.detail(found).request
    return {**_row(found), "jobParams": asked.model_dump() if asked else None}


@router.get("/GetJobStatus")
def job_status(me: Acting, connection: Reader, number: JobId) -> Any:
    found = _row(security.job(connection, me, number))
    return {name: found[name] for name in ("jobStatus", "jobTime", "errorMsg")}


def _asks(word: str) -> None:
    """/KillJob and /KillJobs, and so on."""

    @router.get(f"/{word}Job", name=f"{word}Job")
    def one(me: Acting, connection: Writer, number: JobId) -> Any:
        actions.ask(connection, me, number, _VERBS[word])
        return {"result": f"Success, the job is scheduled to be {_DONE[word]}."}

    @router.get(f"/{word}Jobs", name=f"{word}Jobs")
    def several(me: Acting, connection: Writer, numbers: JobIds) -> Any:
        return {"result": {n: _told(connection, me, n, word) for n in numbers.split(",")[:200]}}


def _told(connection: Connection, me: rights.Caller, number: str, word: str) -> str:
    try:
        actions.ask(connection, me, number, _VERBS[word])
    except HTTPException as error:
        return str(error.detail)
    return f"Success, the job is scheduled to be {_DONE[word]}."


for _word in _VERBS:
    _asks(_word)


@router.get("/jobs/priorities")
def priorities(me: Acting, connection: Reader) -> dict[str, int]:
    """Those of the jobs that the caller may see; the predecessor showed everybody's."""
    rows = jobs.listing(connection, None, None, status.LIVE, limit=10_000)
    return {row.jobId: row.priority for row in rows
            if row.userName == me.name or me.may(COLLABORATOR, rights.vc(row.vcName))}  # fmt: skip


@router.post("/jobs/priorities")
def set_priorities(
    given: Annotated[dict[str, Annotated[int, Body(ge=1, le=1000)]], Body(max_length=200)],
    me: Acting, connection: Writer,
) -> Any:  # fmt: skip
    for number, priority in given.items():
        actions.prioritise(connection, me, number, priority)
    return given


@router.get("/ListVCs")
def list_vcs(me: Acting, connection: Reader) -> Any:
    rows = vcs.rows(connection)
    return {"result": [_vc(row) for row in rows if me.may(USER, rights.vc(row.vcName))]}


@router.get("/GetVC")
@router.get("/GetVCV2")
def get_vc(me: Acting, connection: Reader, name: Vc) -> Any:
    return _vc(security.vc(connection, me, name))


def _vc(row: Any) -> dict[str, Any]:
    return {"vcName": row.vcName, "quota": row.quota, "metadata": row.metadata}


def _settings(quota: str, given: str) -> tuple[dict[str, int], Any]:
    """A quota as typed as that of /api/v1, and metadata that is a mapping of a modest size."""
    numbers = parsed(shapes.Settings, {"quota": parsed_json(quota)}).quota
    meta = parsed_json(given)
    if not isinstance(meta, dict):
        raise HTTPException(422, "metadata is no mapping")
    return numbers, meta


Json = Annotated[str, Query(max_length=20_000)]


@router.get("/AddVC")
def add_vc(me: Admin, connection: Writer, name: Vc, quota: Json, metadata: Json = "{}") -> Any:
    numbers, meta = _settings(quota, metadata)
    vcs.add(connection, parsed(shapes.VcName, name), numbers, meta)
    people.record(connection, me.name, "add vc", name)
    return {"result": True}


@router.get("/UpdateVC")
def update_vc(me: Admin, connection: Writer, name: Vc, quota: Json, metadata: Json = "{}") -> Any:
    numbers, meta = _settings(quota, metadata)
    people.record(connection, me.name, "change vc", name)
    return {"result": vcs.change(connection, name, numbers, meta)}


@router.get("/DeleteVC")
def delete_vc(me: Admin, connection: Writer, name: Vc) -> Any:
    people.record(connection, me.name, "remove vc", name)
    return {"result": vcs.remove(connection, name)}


@router.get("/ListStorages")
def list_storages(me: Acting, connection: Reader, name: Vc) -> Any:
    security.vc(connection, me, name)
    shown = ("vcName", "storageType", "url", "metadata", "defaultMountPath")
    return [{one: getattr(row, one) for one in shown} for row in vcs.shares(connection, name)]


@router.get("/AddUser")
def add_user(
    me: Admin, connection: Writer, uid: int, gid: int,
    name: Annotated[str, Query(alias="identityName", max_length=255)],
    groups: Json = "[]",
) -> Any:  # fmt: skip
    """The person is `identityName`, as `userName` is who asks. Keys are not taken: private ones
    belong to nobody but their owner."""
    given = {"name": name, "uid": uid, "gid": gid, "groups": parsed_json(groups)}
    person = parsed(shapes.NewUser, given)
    people.set_identity(connection, person.name, person.uid, person.gid, person.groups)
    people.record(connection, me.name, "set user", person.name)
    return {"status": "success"}


Who = Annotated[str, Query(alias="identityName", max_length=255)]
What = Annotated[int, Query(alias="resourceType", ge=1, le=2)]
Where = Annotated[str, Query(alias="resourceName", max_length=255)]


@router.get("/UpdateAce")
def update_ace(
    me: Acting, connection: Writer, who: Who, what: What, permissions: shapes.Permissions,
    where: Where = "",
) -> Any:  # fmt: skip
    user, vc = parsed(shapes.UserName, who), parsed(shapes.VcName, where) if what == 2 else None
    v1_people.set_right(connection, me, user, vc, permissions)
    return {"result": True}


@router.get("/DeleteAce")
def delete_ace(me: Acting, connection: Writer, who: Who, what: What, where: Where = "") -> Any:
    vc = parsed(shapes.VcName, where) if what == 2 else None
    v1_people.set_right(connection, me, who, vc, 0)
    return {"result": True}


@router.get("/GetACL")
def get_acl(me: Acting, connection: Reader) -> Any:
    """Entries of what the caller administers, and the caller's own."""
    shown = ("identityName", "identityId", "resource", "permissions", "isDeny")
    return {"result": [
        {name: getattr(row, name) for name in shown} for row in people.entries(connection)
        if row.identityName == me.name or me.may(ADMIN, row.resource)
    ]}  # fmt: skip


@router.get("/IsClusterAdmin")
def is_cluster_admin(me: Acting) -> Any:
    return {"result": me.administers}
