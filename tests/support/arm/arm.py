"""A local Azure: it answers requests by a table of routes, and keeps what it was asked."""

from __future__ import annotations

import itertools
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.arm.templates import Deployment
from tests.support.arm.world import SUBSCRIPTION, Body, Refusal, World

PAGE = 250


@dataclass
class Answer:
    """A status, a body and headers."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def version(self) -> str:
        return self.query.get("api-version", "")


class Arm:
    """Answers requests. Long operations take `polls` questions; `faults` may answer instead."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.world, self.base, self.polls = World(), "", 1
        self.routes = routes
        self.deployments: dict[str, Deployment] = {}
        self.held = False
        """Whether new deployments wait until they are let go."""
        self.operations: dict[str, list[Any]] = {}
        self.asked: list[Asked] = []
        self.faults: list[Callable[[Asked], Answer | None]] = []
        self._numbers, self._lock = itertools.count(1), threading.RLock()

    def wrote(self) -> list[str]:
        """The requests that change something, as METHOD and the end of the path."""
        return [
            f"{one.method} {re.sub('(?i)^.*/resourcegroups/', '', one.path)}"
            for one in self.asked
            if one.method in ("PUT", "PATCH", "DELETE")
            or (one.method == "POST" and not re.search("(?i)validate$|whatif$", one.path))
        ]

    def answer(self, method: str, target: str, body: Any) -> Answer:
        split = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        asked = Asked(method, unquote(split.path), query, body)
        with self._lock:
            self.asked.append(asked)
            for fault in list(self.faults):
                if found := fault(asked):
                    return found
            try:
                return self._answer(asked)
            except Refusal as refusal:
                return Answer(refusal.status, {"error": refusal.error})

    def _answer(self, asked: Asked) -> Answer:
        for method, pattern, version, call in self.routes:
            found = re.fullmatch(pattern, asked.path, re.IGNORECASE)
            if found and method == asked.method:
                if version and asked.version != version:
                    raise Refusal(400, "InvalidApiVersionParameter" if asked.version else
                                  "MissingApiVersionParameter", f"not {version}")  # fmt: skip
                return call(self, asked, found.groupdict())
        raise Refusal(404, "InvalidResourceType", f"{asked.method} {asked.path} is unknown")

    def long(self, work: Callable[[], Any], status: int = 202, body: Any = None) -> Answer:
        """A long operation: its work is done when it was asked for often enough."""
        number = str(next(self._numbers))
        self.operations[number] = [self.polls, work, None]
        place = f"{self.base}/subscriptions/{SUBSCRIPTION}/operations/{number}?api-version=x"
        headers = {"Azure-AsyncOperation": place, "retry-after-ms": "5"}
        return Answer(status, body, headers)


def paged(asked: Asked, base: str, rows: list[Body]) -> Answer:
    start = int(asked.query.get("$skiptoken", "0"))
    body: Body = {"value": rows[start : start + PAGE]}
    if len(rows) > start + PAGE:
        expand = f"&$expand={asked.query['$expand']}" if "$expand" in asked.query else ""
        body["nextLink"] = (f"{base}{asked.path}?api-version={asked.version}"
                            f"&$skiptoken={start + PAGE}{expand}")  # fmt: skip
    return Answer(200, body)


Route = tuple[str, str, str, Callable[[Arm, Asked, Body], Answer]]
"""Method, pattern of the path, version, and what answers."""
