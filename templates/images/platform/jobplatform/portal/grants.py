"""Letting a program in that shows a code, such as `dlws login` on a machine without a browser."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response

from jobplatform.portal.backend import Refusal
from jobplatform.portal.pages import page
from jobplatform.portal.visitor import Form, SignedIn, Visitor

router = APIRouter()
_API = "/api/v1/device-grants"


@router.get("/device")
def entry(one: SignedIn) -> Response:
    """The code is typed, never a part of a link: nobody is led to approve what another began."""
    return _page(one)


def _page(
    one: Visitor, error: Refusal | None = None, code: str = "", waiting: Any = None, done: str = ""
) -> Response:
    """`waiting`: the program that there is; `done`: what became of it."""
    if error and error.status not in {404, 422, 429}:
        raise error
    answer = page(
        one, "device.html", error.status if error else 200, me=one.me, code=code, waiting=waiting,
        done=done, words=error.words if error else "",
    )  # fmt: skip
    if error and error.retry:
        answer.headers["Retry-After"] = error.retry
    return answer


@router.post("/device")
def look(one: SignedIn, given: Form) -> Response:
    code = given.get("code", "")
    try:
        waiting = one.ask("POST", f"{_API}/look", {"user_code": code})
    except Refusal as error:
        return _page(one, error, code[:40])
    return _page(one, waiting=waiting)


@router.post("/device/answer")
def answer(one: SignedIn, given: Form) -> Response:
    approve = given.get("answer") == "approve"
    try:
        asked = {"user_code": given.get("code", ""), "approve": approve}
        one.ask("POST", f"{_API}/answer", asked)
    except Refusal as error:
        return _page(one, error)
    return _page(one, done="approved" if approve else "refused")
