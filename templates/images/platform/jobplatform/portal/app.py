"""The application: its pages, the headers of each answer, and mistakes told in words."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, JSONResponse
from starlette.exceptions import HTTPException

from jobplatform.model.bounds import excess
from jobplatform.portal import account, clusters, grants, jobs, keys, people, providers
from jobplatform.portal.backend import Backend, Refusal
from jobplatform.portal.pages import PLACE, go, page
from jobplatform.portal.visitor import SESSION, forget, here, visitor

LARGEST = 256 * 1024
_LOG = logging.getLogger("jobplatform")
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def create(backend: Backend) -> FastAPI:
    """The portal of an API. It keeps nothing: who visits shows a token with each request."""
    app = FastAPI(title="Portal", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.backend = backend
    for one in (account, providers, grants, keys, jobs, clusters, people):
        app.include_router(one.router)
    app.add_api_route("/healthz", lambda: {"status": "ok"})
    app.add_api_route("/readyz", _ready)
    app.add_api_route("/style.css", _style)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _wrong)
    app.add_exception_handler(HTTPException, _mistaken)
    app.middleware("http")(_bounded)
    return app


def _style() -> Response:
    return FileResponse(PLACE / "style.css", headers={"Cache-Control": "public, max-age=3600"})


def _ready(request: Request) -> Response:
    """Whether the API answers."""
    try:
        status = request.app.state.backend.send("GET", "/healthz", b"", {})[0]
    except Refusal:
        status = 503
    return JSONResponse(
        {"status": "ok" if status == 200 else "away"}, 200 if status == 200 else 503
    )


def _refused(request: Request, error: Any) -> Response:
    """A token that counts no more ends the session; anything else is told as it is."""
    one = visitor(request)
    if error.status == 401:
        answer = go("/sign-in" if request.method != "GET" else account.entrance(one.place))
        forget(answer, SESSION)
        return answer
    answer = page(one, "error.html", error.status, words=error.words, code=error.status)
    if error.retry:
        answer.headers["Retry-After"] = error.retry
    return answer


def _wrong(request: Request, error: Any) -> Response:
    names = ", ".join(sorted({str(one["loc"][-1])[:60] for one in error.errors()}))
    return _refused(request, Refusal(422, f"this cannot be read: {names}"))


def _mistaken(request: Request, error: Any) -> Response:
    if error.status_code == 405 and request.method == "GET":
        # The page that a form led to has another language wanted, or is opened once more.
        first, _, rest = request.url.path.strip("/").partition("/")
        return go(here(f"/{first}") if rest else "/")
    words = "there is no such page" if error.status_code == 404 else str(error.detail)
    return _refused(request, Refusal(error.status_code, words))


async def _bounded(
    request: Request, following: Callable[[Request], Awaitable[Response]]
) -> Response:
    """Requests of a modest size only, and the same headers on all answers. A defect of ours is
    logged, and its details stay there."""
    if refused := excess(request.headers, LARGEST):
        response = _refused(request, Refusal(*refused))
    else:
        response = await _answered(request, following)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _answered(
    request: Request, following: Callable[[Request], Awaitable[Response]]
) -> Response:
    try:
        return await following(request)
    except Exception:
        _LOG.exception("%s %r failed", request.method, request.url.path)
        words = "this is a defect of the platform's; its log says more"
        return _refused(request, Refusal(500, words))
