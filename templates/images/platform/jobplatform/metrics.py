"""What Prometheus is told, at a port of its own. No label names a person or a job. Kubelets ask
there, too: a probe that runs a program costs a node a hundred times more."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds for what a person waits for in front of a screen."""
LONG = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
"""Upper bounds for what a job waits for."""


def serve(
    registry: CollectorRegistry, port: int, probes: Mapping[str, Callable[[], bool]] | None = None
) -> WSGIServer:
    """Answer Prometheus in a thread, on all addresses of the pod, whichever kinds it has; and
    probes by their paths: 200 where it is so, 503 where it is not."""
    try:
        made = start_http_server(port, "::", registry)[0]
    except OSError:
        made = start_http_server(port, "0.0.0.0", registry)[0]  # there is no IPv6
    measures = made.get_app()

    def answer(asked: dict[str, Any], start: Any) -> Iterable[bytes]:
        probe = (probes or {}).get(asked["PATH_INFO"])
        if probe is None:
            return measures(asked, start)  # type: ignore[misc]
        start("200 OK" if probe() else "503 Service Unavailable", [("Content-Length", "0")])
        return [b""]

    made.set_app(answer)
    return made
