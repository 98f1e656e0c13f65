"""A stand-in for Prometheus: it answers the queries of the page /monitor/ about the platform, in
Prometheus' own shape, from what our meters tell at this moment."""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry

from dlws.core.resources import templates

_KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
_MATCH = re.compile(r'(\w+)(=~|=)"([^"]*)"')


class Prometheus:
    """Sums by labels, and equal rates and quantiles: what a page does with a value is looked at,
    not the arithmetic. Of metrics that are not the platform's it knows nothing."""

    def __init__(self, registries: Iterable[CollectorRegistry]) -> None:
        self.registries = list(registries)
        self.alerts: list[dict[str, Any]] = []
        self.asked: list[str] = []

    def samples(self, name: str) -> list[tuple[dict[str, str], float]]:
        return [(dict(one.labels), one.value) for registry in self.registries
                for metric in registry.collect() for one in metric.samples
                if one.name == name]  # fmt: skip

    def vector(self, query: str) -> list[tuple[dict[str, str], float]]:
        """Series by the labels that the query keeps; a quantile of nothing is not a number."""
        self.asked.append(query)
        name = re.search(r"dlws_\w+", query)
        if not name:
            return []
        keep = re.search(r"sum by \(([^)]*)\)", query)
        kept = [one.strip() for one in keep[1].split(",")] if keep else []
        matchers = _MATCH.findall(query)
        found: dict[tuple[tuple[str, str], ...], float] = defaultdict(float)
        for labels, value in self.samples(name[0]):
            if all(re.fullmatch(text, labels.get(label, "")) for label, _, text in matchers):
                key = tuple((one, labels[one]) for one in kept if one != "le" and one in labels)
                found[key] += value
        missing = float("nan") if "histogram_quantile" in query else 0.0
        return [(dict(key), value or missing) for key, value in found.items()]

    def answer(self, path: str, asked: dict[str, list[str]]) -> Any:
        if path.endswith("/alerts"):
            return {"alerts": self.alerts}
        found = self.vector(asked["query"][0])
        if path.endswith("/query"):
            now = [{"metric": labels, "value": [1.5, _text(value)]} for labels, value in found]
            return {"resultType": "vector", "result": now}
        start, end, step = (int(float(asked[one][0])) for one in ("start", "end", "step"))
        times = range(start, end + 1, step)
        return {"resultType": "matrix", "result": [
            {"metric": labels, "values": [[at, _text(value * (1 + i % 5))]
                                          for i, at in enumerate(times)]}
            for labels, value in found]}  # fmt: skip


def _text(value: float) -> str:
    return "NaN" if math.isnan(value) else repr(value)


def policy() -> str:
    """The rules for scripts and styles that nginx sends with the page."""
    told = (templates() / "services/nginx/files/nginx.conf.j2").read_text()
    (found,) = re.findall(r'Content-Security-Policy "([^"]*)"', told)
    return str(found)


def site(page: Path, prometheus: Prometheus) -> type[BaseHTTPRequestHandler]:
    """What answers as nginx does: the page's files, and Prometheus beside them."""
    rules = policy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path.startswith("/prometheus/api/v1/"):
                told = {"status": "success", "data": prometheus.answer(path, query)}
                return self._send(200, "application/json", json.dumps(told).encode())
            name = path.removeprefix("/monitor/") or "index.html"
            if not (page / name).is_file():
                return self._send(404, "text/plain", b"no such file")
            return self._send(200, _KINDS[Path(name).suffix], (page / name).read_bytes())

        def _send(self, status: int, kind: str, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Security-Policy", rules)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *given: Any) -> None:
            """Nothing of it belongs into a test's output."""

    return Handler
