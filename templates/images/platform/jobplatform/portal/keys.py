"""A person's keys for SSH, and tokens for programs."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Response

from jobplatform.portal.backend import Refusal, part
from jobplatform.portal.clusters import whole
from jobplatform.portal.pages import go, page
from jobplatform.portal.visitor import Form, SignedIn, Visitor

router = APIRouter()
_NEW = {"title": "", "key": "", "label": "", "days": "30"}


@router.get("/keys")
def keys(one: SignedIn) -> Response:
    return _page(one)


def _page(
    one: Visitor, error: Refusal | None = None, given: Mapping[str, str] = _NEW, token: str = ""
) -> Response:
    """`token`: a new one, which is shown this once. A key that was refused is not shown again, as
    it may have been a private one."""
    if error and error.status not in {404, 409, 422}:
        raise error
    fields = {**_NEW, **{name: given.get(name, "") for name in ("title", "label", "days")}}
    return page(
        one, "keys.html", error.status if error else 200, me=one.me, fields=fields, token=token,
        keys=one.ask("GET", "/api/v1/keys"), tokens=one.ask("GET", "/api/v1/tokens"),
        words=error.words if error else "",
    )  # fmt: skip


@router.post("/keys")
def add(one: SignedIn, given: Form) -> Response:
    try:
        asked = {"key": given.get("key", ""), "title": given.get("title", "") or None}
        one.ask("POST", "/api/v1/keys", asked)
    except Refusal as error:
        return _page(one, error, given)
    return go("/keys")


@router.post("/keys/tokens")
def new_token(one: SignedIn, given: Form) -> Response:
    """The page with the token itself, which nobody keeps: it is gone once another is opened."""
    try:
        asked = {"label": given.get("label", ""), "days": whole("days", given.get("days", ""))}
        token = str(one.ask("POST", "/api/v1/tokens", asked)["token"])
    except Refusal as error:
        return _page(one, error, given)
    return _page(one, token=token)


@router.post("/keys/tokens/{number}")
def drop_token(one: SignedIn, number: str, given: Form) -> Response:
    return _dropped(one, f"/api/v1/tokens/{part(number)}")


@router.post("/keys/{number}")
def drop(one: SignedIn, number: str, given: Form) -> Response:
    return _dropped(one, f"/api/v1/keys/{part(number)}")


def _dropped(one: Visitor, path: str) -> Response:
    try:
        one.ask("DELETE", path)
    except Refusal as error:
        return _page(one, error)
    return go("/keys")
