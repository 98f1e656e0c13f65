"""/api/v1: signing in, people, rights and virtual clusters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from sqlalchemy import Connection

from jobplatform.api import shapes
from jobplatform.api.security import Admin, Me, Reader, Token, Writer, engine
from jobplatform.api.threads import Route
from jobplatform.model import rights
from jobplatform.model.rights import ADMIN, USER
from jobplatform.model.signin import SIGNED_IN
from jobplatform.store import people, vcs
from jobplatform.store.database import changing

router = APIRouter(route_class=Route, prefix="/api/v1")


@router.post("/login", tags=["people"])
def sign_in(given: shapes.SignIn, request: Request) -> shapes.Given:
    """A token for a local account's name and password."""
    answer = _compared(request, given.user, given.password)
    if answer == "locked":
        raise HTTPException(429, "too many wrong passwords: wait", {"Retry-After": "60"})
    if answer != "ok":
        raise HTTPException(401, "the name or the password is wrong")
    with changing(engine(request)) as connection:
        token = people.give_token(connection, given.user, "signed in", SIGNED_IN)
    return shapes.Given(token=token)


def _compared(request: Request, user: str, password: str) -> str:
    """In a transaction of its own: a wrong password is counted, although the request fails."""
    with changing(engine(request)) as connection:
        return people.sign_in(connection, user, password)


@router.post("/logout", status_code=204, tags=["people"])
def sign_out(me: Me, value: Token, connection: Writer) -> None:
    """End the token with which this is asked."""
    people.drop_this_token(connection, value)


@router.put("/password", status_code=204, tags=["people"])
def password(given: shapes.NewPassword, me: Me, request: Request) -> None:
    """Another password; all tokens end."""
    if _compared(request, me.name, given.old) != "ok":
        raise HTTPException(403, "the old password is wrong, or the account is locked")
    with changing(engine(request)) as connection:
        people.set_password(connection, me.name, given.new)


@router.get("/me", tags=["people"])
def myself(me: Me, connection: Reader) -> dict[str, Any]:
    """Who you are, and where you may do what."""
    found = people.identity_of(connection, me.name)
    open_to = {row.vcName: _level(me, row.vcName) for row in vcs.rows(connection)
               if me.may(USER, rights.vc(row.vcName))}  # fmt: skip
    return {"user": me.name, "administrator": me.administers, "vcs": open_to,
            "uid": found.uid if found else None}  # fmt: skip


def _level(me: rights.Caller, name: str) -> int:
    levels = (ADMIN, rights.COLLABORATOR, USER)
    return next(level for level in levels if me.may(level, rights.vc(name)))


@router.get("/users", tags=["administration"])
def users(me: Admin, connection: Reader) -> list[shapes.Person]:
    """All people, by name; administrators of the cluster only."""
    return [
        shapes.Person(name=row.identityName, uid=row.uid, gid=row.gid,
                      groups=people.numbers(row.groups), password=row.password is not None)
        for row in people.everybody(connection)
    ]  # fmt: skip


@router.put("/users", status_code=204, tags=["administration"])
def user(given: shapes.NewUser, me: Admin, connection: Writer) -> None:
    """Add a person or change the numbers; administrators of the cluster only."""
    people.set_identity(connection, given.name, given.uid, given.gid, given.groups)
    if given.password is not None:
        people.set_password(connection, given.name, given.password)
    people.record(connection, me.name, "set user", given.name)


@router.put("/users/{name}/password", status_code=204, tags=["administration"])
def password_of(name: str, given: shapes.OnlyPassword, me: Admin, connection: Writer) -> None:
    """Give a person another password; administrators of the cluster only. All tokens end."""
    if people.identity_of(connection, name) is None:
        raise HTTPException(404, "there is no such person")
    people.set_password(connection, name, given.password)
    people.record(connection, me.name, "set password", name)


@router.get("/rights", tags=["administration"])
def rights_of_all(me: Me, connection: Reader) -> list[dict[str, Any]]:
    """The access list, as far as you administer it."""
    return [
        {"user": row.identityName, "resource": row.resource, "permissions": row.permissions}
        for row in people.entries(connection) if me.may(ADMIN, row.resource)
    ]  # fmt: skip


@router.put("/rights", status_code=204, tags=["administration"])
def allow(given: shapes.Right, me: Me, connection: Writer) -> None:
    """Give a person rights on a virtual cluster, or on all of them; 0 takes them away."""
    set_right(connection, me, given.user, given.vc, given.permissions)


def set_right(
    connection: Connection, me: rights.Caller, user: str, vc: str | None, permissions: int
) -> None:
    resource = rights.CLUSTER if vc is None else rights.vc(vc)
    if not me.may(ADMIN, resource):
        raise HTTPException(403, "this needs an administrator of what the right is about")
    if permissions:
        people.allow(connection, user, resource, permissions)
    else:
        people.disallow(connection, user, resource)
    people.record(connection, me.name, f"allow {permissions} on {resource}", user)


@router.get("/vcs", tags=["virtual clusters"])
def listing(me: Me, connection: Reader) -> list[dict[str, Any]]:
    """The virtual clusters that you may use, with their quotas and what jobs hold of them."""
    found, used = (vcs.read(row) for row in vcs.rows(connection)), vcs.used(connection)
    return [
        {"name": one.name, "quota": _whole(one.quota), "used": _whole(used.get(one.name, {})),
         "user_quota": one.user_quota, "fifo": one.fifo}
        for one in found if me.may(USER, rights.vc(one.name))
    ]  # fmt: skip


def _whole(amounts: Mapping[str, int]) -> dict[str, int | float]:
    """Processors as a quota is given: whole ones, and parts where there are any."""
    cpu = {"cpu": amounts["cpu"] / 1000} if "cpu" in amounts else {}
    return {**amounts, **{name: int(n) if n == int(n) else n for name, n in cpu.items()}}


@router.post("/vcs", status_code=201, tags=["administration"])
def add_vc(given: shapes.NewVc, me: Admin, connection: Writer) -> shapes.Created:
    """Make a virtual cluster; administrators of the cluster only."""
    vcs.add(connection, given.name, given.quota, metadata(given))
    people.record(connection, me.name, "add vc", given.name)
    return shapes.Created(id=given.name)


@router.put("/vcs/{name}", status_code=204, tags=["administration"])
def change_vc(name: str, given: shapes.Settings, me: Admin, connection: Writer) -> None:
    """Another quota or policy; administrators of the cluster only."""
    if not vcs.change(connection, name, given.quota, metadata(given)):
        raise HTTPException(404, "there is no such virtual cluster")
    people.record(connection, me.name, "change vc", name)


@router.delete("/vcs/{name}", status_code=204, tags=["administration"])
def remove_vc(name: str, me: Admin, connection: Writer) -> None:
    """Remove a virtual cluster in which all jobs have ended."""
    if not vcs.remove(connection, name):
        raise HTTPException(404, "there is no such virtual cluster")
    people.record(connection, me.name, "remove vc", name)


def metadata(given: shapes.Settings) -> dict[str, Any]:
    limit = {} if given.user_quota is None else {"user_quota": given.user_quota}
    return {**limit, "admin": {"scheduling_policy": "FIFO" if given.fifo else "RF"}}
