"""Jobs: the list, one of them, its log, and what a person may ask of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import StreamingResponse

from jobplatform.model import status
from jobplatform.model.rights import ADMIN, COLLABORATOR
from jobplatform.portal import submit
from jobplatform.portal.backend import Refusal, part
from jobplatform.portal.pages import go, page
from jobplatform.portal.visitor import Form, SignedIn, Visitor

router = APIRouter()
PAGE = 20
Number = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,49}\z")]
State = Literal["", "unapproved", "queued", "scheduling", "running", "pausing", "paused", "killing",
                "finished", "failed", "killed", "error"]  # fmt: skip
STATES = get_args(State)[1:]


@router.get("/jobs")
def listing(
    one: SignedIn, vc: Annotated[str, Query(max_length=255)] = "", mine: bool = False,
    state: State = "", before: Annotated[int | None, Query(ge=0)] = None,
) -> Response:  # fmt: skip
    """The newest jobs that one may see. Who may not see all of a virtual cluster sees their own."""
    alone = mine or (bool(vc) and one.me["vcs"].get(vc, 0) < COLLABORATOR)
    found = one.ask("GET", "/api/v1/jobs", vc=vc, mine=str(alone).lower(), status=state,
                    before=before, limit=PAGE)  # fmt: skip
    asked = {"vc": vc, "mine": "true" if mine else "", "state": state}
    tail = urlencode({name: value for name, value in asked.items() if value})
    return page(one, "jobs.html", me=one.me, jobs=found["jobs"], following=found["next"],
                asked=asked, tail=tail, states=STATES, paged=before is not None)  # fmt: skip


@router.get("/jobs/new")
def blank(
    one: SignedIn, kind: submit.Kind = "regular",
    origin: Annotated[str, Query(alias="from", max_length=50)] = "",
) -> Response:  # fmt: skip
    """The form for a job: empty, or with what another job was asked to be."""
    if not origin:
        return _form(one, submit.blank(kind))
    asked = one.ask("GET", f"/api/v1/jobs/{part(origin)}")["request"]
    if asked is None:
        raise Refusal(409, "what this job was asked to be cannot be read any more")
    return _form(one, submit.filled(asked))


@router.post("/jobs/new")
def send(one: SignedIn, given: Form) -> Response:
    try:
        number = one.ask("POST", "/api/v1/jobs", submit.request(given))["id"]
    except Refusal as error:
        if error.status not in {403, 404, 409, 422}:
            raise
        return _form(one, submit.blank("regular") | given, error)
    return go(f"/jobs/{part(number)}")


def _form(one: Visitor, fields: dict[str, str], error: Refusal | None = None) -> Response:
    kind = fields["kind"] if fields["kind"] in submit.KINDS else "regular"
    return page(one, "new.html", error.status if error else 200, me=one.me, fields=fields,
                kind=kind, kinds=submit.KINDS, words=error.words if error else "")  # fmt: skip


@router.get("/jobs/{number}")
def show(one: SignedIn, number: Number) -> Response:
    job = one.ask("GET", f"/api/v1/jobs/{number}")
    events = one.ask("GET", f"/api/v1/jobs/{number}/events")
    return page(one, "job.html", me=one.me, job=job, events=events, asked=job["request"],
                verbs=_verbs(one.me, job), live=_live(job["status"]))  # fmt: skip


def _verbs(me: dict[str, Any], job: dict[str, Any]) -> list[str]:
    """What this person may ask of the job as it is now."""
    over = me["vcs"].get(job["vc"], 0) >= ADMIN
    open_to = over or job["user"] == me["user"]
    return [verb for verb, (_, possible) in status.VERBS.items()
            if job["status"] in possible and (over if verb == "approve" else open_to)]  # fmt: skip


def _live(state: str) -> bool:
    return state not in status.ENDED | {status.PAUSED}


@router.post("/jobs/{number}/{verb}")
def change(
    one: SignedIn, number: Number, verb: Literal["stop", "pause", "resume", "approve"], given: Form
) -> Response:
    one.ask("POST", f"/api/v1/jobs/{number}/{verb}")
    return go(f"/jobs/{number}")


@router.get("/jobs/{number}/log.txt")
def download(
    one: SignedIn, number: Number, worker: Annotated[int, Query(ge=0, le=1023)] = 0
) -> Response:
    """All of a log as a file, piece by piece."""
    first = one.ask("GET", f"/api/v1/jobs/{number}/log", worker=worker, after="")

    def rest() -> Iterator[str]:
        found = first
        yield found["text"]
        while found["more"]:
            found = one.ask("GET", f"/api/v1/jobs/{number}/log", worker=worker,
                            after=found["cursor"])  # fmt: skip
            yield found["text"]

    name = f'attachment; filename="{number}-{worker}.log"'
    return StreamingResponse(rest(), media_type="text/plain; charset=utf-8",
                             headers={"Content-Disposition": name})  # fmt: skip


@router.get("/jobs/{number}/log")
def log(
    one: SignedIn, number: Number, worker: Annotated[int, Query(ge=0, le=1023)] = 0,
    after: Annotated[str, Query(max_length=50)] = "", refresh: Literal["on", "off"] = "on",
) -> Response:  # fmt: skip
    """A piece of a log. While the job lives, the page asks for itself again, unless one says no."""
    job = one.ask("GET", f"/api/v1/jobs/{number}")
    found, words = {"text": "", "cursor": "", "more": False, "status": job["status"]}, ""
    try:
        found = one.ask("GET", f"/api/v1/jobs/{number}/log", worker=worker, after=after)
    except Refusal as error:
        if error.status not in {410, 501}:
            raise
        words = error.words
    workers = job["request"]["workers"] if job["request"] else 1
    live = _live(str(found["status"])) and not words
    return page(one, "log.html", me=one.me, job=job, log=found, words=words, workers=workers,
                worker=worker, after=after, refresh=refresh, live=live)  # fmt: skip
