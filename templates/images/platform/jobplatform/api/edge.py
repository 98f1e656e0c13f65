"""Around each request: requests of a modest size only, the same headers on all answers, counts."""

from __future__ import annotations

import logging
import time
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobplatform.api.meters import Meters
from jobplatform.model.bounds import excess

LARGEST = 1024 * 1024
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
}
_LOG = logging.getLogger("jobplatform")


def said(code: int, detail: Any) -> JSONResponse:
    return JSONResponse({"detail": detail}, code)


class Edge:
    """In the plain form of such a layer: the framework's own kind costs a task for each request."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self.app, self.meters = app, meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request, began, answered = Request(scope), time.perf_counter(), False

        async def sending(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                MutableHeaders(scope=message).update(HEADERS)
                self.meters.answered(request, message["status"], time.perf_counter() - began)
            await send(message)

        if refused := excess(request.headers, LARGEST):
            await said(*refused)(scope, receive, sending)
            return
        try:
            await self.app(scope, receive, sending)
        except Exception:
            # A defect of ours is logged, and its details stay there.
            _LOG.exception("%s %r failed", request.method, request.url.path)
            if answered:
                raise
            words = "this is a defect of the platform's; its log says more"
            await said(500, words)(scope, receive, sending)
