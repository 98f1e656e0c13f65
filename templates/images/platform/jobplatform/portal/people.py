"""For administrators: people with their numbers and passwords, and who has which rights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from jobplatform.model.rights import ADMIN, CLUSTER
from jobplatform.model.rights import vc as vc_of
from jobplatform.portal.backend import Refusal, part
from jobplatform.portal.clusters import whole
from jobplatform.portal.pages import go, page
from jobplatform.portal.visitor import Admin, Form, SignedIn, Visitor

router = APIRouter()
_NEW = {"name": "", "uid": "", "gid": "", "groups": ""}
_VC = vc_of("")


@router.get("/users")
def users(one: Admin, done: bool = False) -> Response:
    return page(one, "users.html", me=one.me, fields=_NEW, words="", done=done)


@router.post("/users")
def set_user(one: Admin, given: Form) -> Response:
    try:
        one.ask("PUT", "/api/v1/users", person(given))
    except Refusal as error:
        return _again(one, error, given)
    return go("/users?done=true")


@router.post("/users/password")
def set_password(one: Admin, given: Form) -> Response:
    try:
        one.ask("PUT", f"/api/v1/users/{part(given.get('name', ''))}/password",
                {"password": given.get("password", "")})  # fmt: skip
    except Refusal as error:
        return _again(one, error, {})
    return go("/users?done=true")


def _again(one: Visitor, error: Refusal, given: Mapping[str, str]) -> Response:
    """The form with what was given, but no password, and what is wrong with it."""
    if error.status not in {404, 409, 422}:
        raise error
    fields = {name: given.get(name, "") for name in _NEW}
    return page(one, "users.html", error.status, me=one.me, fields=fields, words=error.words,
                done=False)  # fmt: skip


def person(given: Mapping[str, str]) -> dict[str, Any]:
    """What the API is asked for. Without a password, the old one stays, where there is one."""
    groups = given.get("groups", "").replace(",", " ").split()
    found = {"name": given.get("name", ""), "uid": whole("uid", given.get("uid", "")),
             "gid": whole("gid", given.get("gid", "")),
             "groups": [whole("groups", one) for one in groups]}  # fmt: skip
    return {**found, "password": given["password"]} if given.get("password") else found


@router.get("/rights")
def rights(one: SignedIn) -> Response:
    return _rights(one)


def _rights(one: Visitor, error: Refusal | None = None) -> Response:
    """Entries of what the visitor administers, and the form for another."""
    own = sorted(name for name, level in one.me["vcs"].items() if level >= ADMIN)
    if not own and not one.me["administrator"]:
        raise Refusal(403, "this needs an administrator")
    rows = [{**row, "vc": row["resource"].removeprefix(_VC) if row["resource"] != CLUSTER else "*"}
            for row in one.ask("GET", "/api/v1/rights")]  # fmt: skip
    return page(one, "rights.html", error.status if error else 200, me=one.me, rows=rows, own=own,
                words=error.words if error else "")  # fmt: skip


@router.post("/rights")
def allow(one: SignedIn, given: Form) -> Response:
    """Give a person rights on a virtual cluster, or on all of them (`*`); 0 takes them away."""
    try:
        bits = whole("permissions", given.get("permissions", ""))
        vc = given.get("vc", "")
        asked = {
            "user": given.get("user", ""),
            "vc": None if vc == "*" else vc,
            "permissions": bits,
        }
        one.ask("PUT", "/api/v1/rights", asked)
    except Refusal as error:
        if error.status not in {403, 422}:
            raise
        return _rights(one, error)
    return go("/rights")
