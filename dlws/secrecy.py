"""Secrets do not leave by the way of output: their known forms are blotted out of all of it."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import urllib.parse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from dlws.connection import Echo

if TYPE_CHECKING:
    from dlws.output import Outlet

BLOT = b"(secret)"
SHORTEST = 5
"""Shorter values are left: they would blot out innocent words everywhere."""


def forms(value: str) -> set[bytes]:
    """A secret as it is, and in base64, for a URL, in JSON and for a shell."""
    raw = os.fsencode(value)
    coded = base64.b64encode(raw)
    found = {raw, coded.rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"=")}
    found |= {urllib.parse.quote(raw, safe=safe).encode() for safe in ("", "/")}
    found |= {os.fsencode(json.dumps(value, ensure_ascii=ascii)[1:-1]) for ascii in (True, False)}
    return found | {os.fsencode(shlex.quote(value))}


class Hidden:
    """The secrets of this invocation."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: list[bytes] = []
        self._pattern: re.Pattern[bytes] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Hide these as well, from here on."""
        known = {form for value in values if len(value) >= SHORTEST for form in forms(value)}
        # The longest form first, since it may hold others.
        self._forms = sorted({*self._forms, *known}, key=len, reverse=True)
        if self._forms:
            self._pattern = re.compile(b"|".join(map(re.escape, self._forms)))

    def data(self, data: bytes) -> bytes:
        return self._pattern.sub(BLOT, data) if self._pattern else data

    def text(self, text: str) -> str:
        if not self._pattern:
            return text
        return self.data(text.encode(errors="surrogateescape")).decode(errors="surrogateescape")

    def stream(self, echo: Echo) -> Outlet:
        """A receiver that passes output on without secrets, also one that comes in two pieces."""
        rests = {"out": b"", "err": b""}

        def receive(name: str, data: bytes) -> None:
            data = self.data(rests[name] + data)
            held = self._begun(data)
            rests[name] = data[len(data) - held :]
            if len(data) > held:
                echo(name, data[: len(data) - held])

        def finish() -> None:
            for name, rest in rests.items():
                if rest:
                    echo(name, rest)

        return receive, finish

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        longest = len(self._forms[0]) - 1 if self._forms else 0
        for size in range(min(longest, len(data)), 0, -1):
            end = data[-size:]
            if any(form.startswith(end) for form in self._forms):
                return size
        return 0
