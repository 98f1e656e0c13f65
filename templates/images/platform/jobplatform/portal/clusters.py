"""Virtual clusters: quota and use; administrators make them and change them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import APIRouter, Response

from jobplatform.portal.backend import Refusal, part
from jobplatform.portal.pages import go, page
from jobplatform.portal.visitor import Admin, Form, SignedIn, Visitor

router = APIRouter()
_NEW = {"name": "", "quota": "", "user_quota": "", "fifo": ""}


@router.get("/vcs")
def listing(one: SignedIn) -> Response:
    return _page(one)


def _page(
    one: Visitor, fields: dict[str, str] | None = None, error: Refusal | None = None
) -> Response:
    return page(one, "vcs.html", error.status if error else 200, me=one.me,
                vcs=one.ask("GET", "/api/v1/vcs"), fields=fields or _NEW,
                words=error.words if error else "")  # fmt: skip


@router.post("/vcs")
def make(one: Admin, given: Form) -> Response:
    try:
        one.ask("POST", "/api/v1/vcs", {"name": given.get("name", ""), **settings(given)})
    except Refusal as error:
        if error.status not in {409, 422}:
            raise
        return _page(one, {**_NEW, **given}, error)
    return go("/vcs")


@router.get("/vcs/{name}")
def show(one: Admin, name: str) -> Response:
    found = next((vc for vc in one.ask("GET", "/api/v1/vcs") if vc["name"] == name), None)
    if found is None:
        raise Refusal(404, "there is no such virtual cluster")
    return page(one, "vc.html", me=one.me, fields=filled(found), words="")


@router.post("/vcs/{name}")
def change(one: Admin, name: str, given: Form) -> Response:
    try:
        one.ask("PUT", f"/api/v1/vcs/{part(name)}", settings(given))
    except Refusal as error:
        if error.status != 422:
            raise
        fields = {**_NEW, **given, "name": name}
        return page(one, "vc.html", 422, me=one.me, fields=fields, words=error.words)
    return go("/vcs")


def filled(vc: Mapping[str, Any]) -> dict[str, str]:
    """The form with a virtual cluster as it is."""
    quota = "\n".join(f"{kind}={number}" for kind, number in sorted(vc["quota"].items()))
    limit = "" if vc["user_quota"] is None else str(vc["user_quota"])
    return {"name": vc["name"], "quota": quota, "user_quota": limit,
            "fifo": "true" if vc["fifo"] else ""}  # fmt: skip


def settings(given: Mapping[str, str]) -> dict[str, Any]:
    """What the API is asked for."""
    limit = given.get("user_quota", "").strip()
    return {"quota": amounts(given.get("quota", "")), "fifo": given.get("fifo") == "true",
            "user_quota": whole("user_quota", limit) if limit else None}  # fmt: skip


def amounts(text: str) -> dict[str, int]:
    """Kinds of devices with their numbers, one a line."""
    found = {}
    for line in filter(None, map(str.strip, text.splitlines())):
        kind, equals, number = line.partition("=")
        if not equals or kind.strip() in found:
            raise Refusal(422, "quota: write a kind of device a line, each once, as KIND=NUMBER")
        found[kind.strip()] = whole("quota", number)
    return found


def whole(place: str, text: str) -> int:
    if not (text.strip().isascii() and text.strip().isdecimal() and len(text) < 20):
        raise Refusal(422, f"{place}: this is no whole number")
    return int(text)
