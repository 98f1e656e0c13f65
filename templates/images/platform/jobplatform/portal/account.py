"""Signing in and out, one's password, and the language."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Response

from jobplatform.portal.backend import Refusal
from jobplatform.portal.pages import go, page
from jobplatform.portal.visitor import (
    LANGUAGE,
    SESSION,
    VISIT,
    Anybody,
    Form,
    SignedIn,
    Visitor,
    forget,
    here,
    keep,
)
from jobplatform.portal.words import LANGUAGES

router = APIRouter()
_YEAR = 365 * 86400


def entrance(place: str) -> str:
    """The page for signing in, which leads on to a place of ours."""
    return "/sign-in" if place == "/" else f"/sign-in?next={quote(place, safe='')}"


@router.get("/")
def first() -> Response:
    return go("/jobs")


@router.get("/sign-in")
def entry(
    one: Anybody, onward: Annotated[str, Query(alias="next", max_length=6000)] = "/",
    changed: bool = False,
) -> Response:  # fmt: skip
    return entrance_page(one, here(onward), changed=changed)


def entrance_page(
    one: Visitor, onward: str, error: Refusal | None = None, user: str = "", changed: bool = False
) -> Response:
    """The page for signing in: by name and password, or by one of the providers."""
    answer = page(
        one, "sign-in.html", error.status if error else 200, onward=onward, user=user,
        words=error.words if error else "", changed=changed,
        ways=one.ask("GET", "/api/v1/sign-in")["ways"],
    )  # fmt: skip
    if error and error.retry:
        answer.headers["Retry-After"] = error.retry
    return answer


@router.post("/sign-in")
def enter(one: Anybody, given: Form) -> Response:
    """The API compares the password, and gives the token that the session lasts as long as."""
    user, onward = given.get("user", ""), here(given.get("next", "/"))
    asked = {"user": user, "password": given.get("password", "")}
    try:
        token = one.ask("POST", "/api/v1/login", asked)["token"]
    except Refusal as error:
        if error.status not in {401, 422, 429}:
            raise
        return entrance_page(one, onward, error, user)
    return entered(onward, token)


def entered(onward: str, token: str) -> Response:
    answer = go(onward)
    keep(answer, SESSION, token)
    forget(answer, VISIT)
    return answer


@router.post("/sign-out")
def leave(one: SignedIn, given: Form) -> Response:
    """End the token, and forget it."""
    one.ask("POST", "/api/v1/logout")
    answer = go("/sign-in")
    forget(answer, SESSION)
    return answer


@router.post("/language")
def language(given: Form) -> Response:
    answer = go(here(given.get("next", "/")))
    if given.get("language") in LANGUAGES:
        keep(answer, LANGUAGE, given["language"], _YEAR)
    return answer


@router.get("/account")
def account(one: SignedIn) -> Response:
    return _page(one)


def _page(one: Visitor, error: Refusal | None = None) -> Response:
    told = one.ask("GET", "/api/v1/sign-in")
    return page(
        one, "account.html", error.status if error else 200, me=one.me, ways=told["ways"],
        connections=one.ask("GET", "/api/v1/connections"), words=error.words if error else "",
    )  # fmt: skip


@router.post("/account")
def password(one: SignedIn, given: Form) -> Response:
    """Another password. All tokens end with the old one, also that of this session."""
    try:
        if given.get("new") != given.get("again"):
            raise Refusal(422, "the new password was not repeated as it is")
        words = {"old": given.get("old", ""), "new": given.get("new", "")}
        one.ask("PUT", "/api/v1/password", words)
    except Refusal as error:
        if error.status not in {403, 422}:
            raise
        return _page(one, error)
    answer = go("/sign-in?changed=true")
    forget(answer, SESSION)
    return answer
