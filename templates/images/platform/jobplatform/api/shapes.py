"""What the API takes and gives, as types: OpenAPI is made of them."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from sqlalchemy import Row

from jobplatform.model import reasons
from jobplatform.model.request import Line, Request, no_nul, read

VcName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z")]
UserName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}\z")]
Password = Annotated[str, Field(min_length=12, max_length=256), AfterValidator(no_nul)]
Device = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}\z")]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
Permissions = Annotated[int, Field(ge=0, le=7)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class SignIn(Strict):
    user: Annotated[str, Field(max_length=255), AfterValidator(no_nul)]
    password: Annotated[str, Field(max_length=256), AfterValidator(no_nul)]


class NewPassword(Strict):
    old: Annotated[str, Field(max_length=256), AfterValidator(no_nul)]
    new: Password


class OnlyPassword(Strict):
    password: Password


class NewToken(Strict):
    label: Line
    days: Annotated[int, Field(ge=1, le=365)] = 30


class Given(Strict):
    token: str


class NewUser(Strict):
    """A person: the numbers under which jobs run, and a password where one signs in with it. No
    job runs with a uid of the system's."""

    name: UserName
    uid: Annotated[int, Field(ge=1000, lt=2**31)]
    gid: Annotated[int, Field(ge=1000, lt=2**31)]
    groups: Annotated[list[Annotated[int, Field(ge=1000, lt=2**31)]], Field(max_length=200)] = []
    password: Password | None = None


class Right(Strict):
    user: UserName
    vc: VcName | None = None
    permissions: Permissions


class Settings(Strict):
    """A virtual cluster: devices by kind, processors as `cpu`; what one user may have of it."""

    quota: Annotated[dict[Device, Count], Field(max_length=100)]
    user_quota: Count | None = None
    fifo: bool = False


class NewVc(Settings):
    name: VcName


class Priority(Strict):
    priority: Annotated[int, Field(ge=1, le=1000)]


class Person(BaseModel):
    """A person's numbers; whether there is a password, never which."""

    name: str
    uid: int
    gid: int
    groups: list[int]
    password: bool


class Created(BaseModel):
    id: str


class Status(BaseModel):
    status: str


class Log(BaseModel):
    """A piece of a log; `more`: there is more of it now. `cursor` is for `after`."""

    text: str
    cursor: str
    status: str
    more: bool


class Reason(BaseModel):
    """Why a job waits, or how it ended; `cause` is user, platform or node. `values` are what the
    sentence says, for who says it in another language."""

    code: str
    sentence: str
    values: dict[str, str | int] = {}
    cause: str = ""


class Job(BaseModel):
    id: str
    name: str
    user: str
    vc: str
    status: str
    priority: int
    attempt: int
    reason: Reason | None
    queued: int | None
    started: int | None
    ended: int | None


class Detail(Job):
    request: Request | None


class Page(BaseModel):
    jobs: list[Job]
    next: int | None


class Event(BaseModel):
    at: int
    actor: str
    status: str
    reason: Reason | None


def reason(text: str | None) -> Reason | None:
    found = reasons.read(text)
    if not found:
        return None
    return Reason(
        code=found.code, sentence=found.sentence, values=dict(found.values), cause=found.cause
    )


def job(row: Row[Any]) -> Job:
    return Job(
        id=row.jobId, name=row.jobName, user=row.userName, vc=row.vcName, status=row.jobStatus,
        priority=row.priority, attempt=row.attempt, reason=reason(row.reason),
        queued=row.queuedAt, started=row.startedAt, ended=row.endedAt,
    )  # fmt: skip


def detail(row: Row[Any]) -> Detail:
    """A job with what was asked for; a predecessor's job may ask for what nobody may any more."""
    try:
        asked = read(row.jobParams)
    except ValueError:
        asked = None
    return Detail(**job(row).model_dump(), request=asked)
