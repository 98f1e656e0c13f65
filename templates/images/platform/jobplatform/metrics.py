"""What Prometheus is told, at a port of its own. No label names a person or a job."""

from __future__ import annotations

from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds for what a person waits for in front of a screen."""
LONG = (1, 2, 5, 10, 30, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
"""Upper bounds for what a job waits for."""


def serve(registry: CollectorRegistry, port: int) -> WSGIServer:
    """Answer Prometheus in a thread, on all addresses of the pod, whichever kinds it has."""
    try:
        return start_http_server(port, "::", registry)[0]
    except OSError:
        return start_http_server(port, "0.0.0.0", registry)[0]  # there is no IPv6
