"""The application: both kinds of paths, and what is answered when something is wrong."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy import Engine

from jobplatform import __version__
from jobplatform.api import legacy, logs, v1, v1_grants, v1_keys, v1_people, v1_signin
from jobplatform.api.edge import Edge, said
from jobplatform.api.meters import Meters
from jobplatform.api.security import holder
from jobplatform.kubernetes import Away, Logs
from jobplatform.model.signin import SignIn
from jobplatform.signin import proof
from jobplatform.signin.web import Web
from jobplatform.store.database import Unavailable, reading
from jobplatform.store.entry import Closed
from jobplatform.store.keys import Full
from jobplatform.store.people import Taken
from jobplatform.store.signins import Busy
from jobplatform.store.vcs import InUse

_LOG = logging.getLogger("jobplatform")


def create(
    engine: Engine, source: Logs | None = None, kept: Path | None = None,
    told: SignIn | None = None, web: Web | None = None,
) -> FastAPI:  # fmt: skip
    """The application over a database, and what has the logs of jobs: nodes, and a share. `told`
    are ways to sign in, whose providers are asked over `web`. No page may call it from a browser:
    there is no CORS, and no cookie counts."""
    app = FastAPI(
        title="Job platform", version=__version__, docs_url=None, redoc_url=None,
        openapi_url="/api/v1/openapi.json",
    )  # fmt: skip
    app.state.engine, app.state.logs, app.state.kept = engine, source, kept
    app.state.meters = Meters()
    app.state.ways = v1_signin.ways(told or SignIn(), web)
    for one in (v1, logs, v1_people, v1_signin, v1_grants, v1_keys, legacy):
        app.include_router(one.router)
    _answer_mistakes(app)
    app.add_middleware(Edge, meters=app.state.meters)
    app.add_api_route("/healthz", lambda: {"status": "ok"}, include_in_schema=False)
    app.add_api_route("/readyz", _ready, include_in_schema=False)
    return app


def _ready(request: Request) -> dict[str, str]:
    """Whether the database answers."""
    with reading(request.app.state.engine) as connection:
        connection.exec_driver_sql("SELECT 1")
    return {"status": "ok"}


def _answer_mistakes(app: FastAPI) -> None:
    answers: dict[type[Exception], Callable[[Request, Any], Response]] = {
        Unavailable: lambda request, error: _away("the database"),
        Away: lambda request, error: _away("Kubernetes"),
        proof.Away: _provider_away,
        Busy: lambda request, error: said(429, str(error)),
        Closed: lambda request, error: said(403, str(error)),
        Taken: lambda request, error: said(409, str(error)),
        Full: lambda request, error: said(409, str(error)),
        InUse: lambda request, error: said(409, str(error)),
        RequestValidationError: _malformed,
    }
    for kind, answer in answers.items():
        app.add_exception_handler(kind, answer)


def _away(who: str) -> Response:
    detail = f"{who} does not answer now; nothing was changed"
    return JSONResponse({"detail": detail}, 503, {"Retry-After": "5"})


def _provider_away(request: Request, error: proof.Away) -> Response:
    _LOG.warning("a way to sign in does not work: %s", error)
    return _away("the provider of this way to sign in")


def _malformed(request: Request, error: RequestValidationError) -> Response:
    """Where a token is needed, whoever has none that is valid learns nothing else."""
    try:
        if hasattr(request.state, "token"):
            holder(request.app.state.engine, request.state.token)
    except HTTPException as refused:
        return JSONResponse({"detail": refused.detail}, refused.status_code, refused.headers)
    except Unavailable:
        return _away("the database")
    return said(422, _places(error))


def _places(error: RequestValidationError) -> list[dict[str, Any]]:
    """What is wrong and where; never the value, which may be a password."""
    return [{"loc": [str(part)[:60] for part in one["loc"]], "msg": one["msg"][:200]}
            for one in error.errors()]  # fmt: skip
