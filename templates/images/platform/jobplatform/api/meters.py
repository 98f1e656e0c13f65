"""What the API measures: requests, by route and answer."""

from __future__ import annotations

from fastapi import Request
from prometheus_client import CollectorRegistry, Counter, Histogram

from jobplatform.metrics import SECONDS

_METHODS = {"GET", "POST", "PUT", "DELETE", "PATCH"}


class Meters:
    def __init__(self) -> None:
        self.registry = made = CollectorRegistry()
        by = ["method", "route"]
        says = "Requests that were answered"
        self.requests = Counter("dlws_api_requests", says, [*by, "code"], registry=made)
        says = "Time until an answer began"
        self.seconds = Histogram(
            "dlws_api_request_seconds", says, by, buckets=SECONDS, registry=made
        )

    def answered(self, request: Request, code: int, seconds: float) -> None:
        """The route is that of the application, such as /api/v1/jobs/{number}, and never what
        was asked for: strangers must not make up as many labels as they like."""
        route = getattr(request.scope.get("route"), "path", "other")
        method = request.method if request.method in _METHODS else "other"
        self.requests.labels(method, route, str(code)).inc()
        self.seconds.labels(method, route).observe(seconds)
