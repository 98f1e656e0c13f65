"""Redaction: the known forms of secrets are replaced in everything that leaves the program."""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import urllib.parse
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dlws.core.connection import Echo

if TYPE_CHECKING:
    from pydantic import SecretStr

    from dlws.core.connection import Outlet

REDACTED = b"(secret)"
SHORTEST = 5
"""Shorter values are left: they would blot out innocent words everywhere."""


def revealed(secret: SecretStr | str | None) -> str | None:
    """The value of a secret; a reference is read only now."""
    return secret if secret is None or isinstance(secret, str) else secret.get_secret_value()


def forms(value: str) -> set[bytes]:
    """A secret as it is, and in base64, for a URL, in JSON and for a shell.

    The lines of a long one count alone, too: output is shown line by line.
    """
    lines = [line.strip("\r") for line in value.split("\n")]
    parts = {value, *(line for line in lines if len(line) >= SHORTEST)}
    return {form for part in parts for form in _forms(part)} - {b""}


def _forms(value: str) -> set[bytes]:
    raw = os.fsencode(value)
    found = {raw, *_base64(raw)}
    found |= {urllib.parse.quote(raw, safe=safe).encode() for safe in ("", "/")}
    found |= {urllib.parse.quote_plus(raw).encode()}
    found |= {os.fsencode(json.dumps(value, ensure_ascii=ascii)[1:-1]) for ascii in (True, False)}
    # As shlex.quote() writes it, and as `set -x` does.
    escaped = value.replace("'", "'\\''")
    return found | {os.fsencode(shlex.quote(value)), os.fsencode(escaped)}


def _base64(raw: bytes) -> Iterator[bytes]:
    """A value in base64, alone and within something longer, where it begins at any of three bits.

    Characters that hold bits of what is before or behind it are left out.
    """
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        end = (before + len(raw)) * 8 // 6
        coded = base64.b64encode(bytes(before) + raw)[skipped:end]
        yield coded
        yield coded.translate(bytes.maketrans(b"+/", b"-_"))


class Redactor:
    """The secrets of this invocation."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: list[bytes] = []
        self._longest = 0
        self._pattern: re.Pattern[bytes] | None = None
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Hide these as well, from here on."""
        known = {form for value in values if len(value) >= SHORTEST for form in forms(value)}
        if not known.difference(self._forms):
            return
        self._forms = sorted({*self._forms, *known})
        self._longest = max(map(len, self._forms)) - 1
        self._pattern = re.compile(_any_of(self._forms))

    def data(self, data: bytes) -> bytes:
        return self._pattern.sub(REDACTED, data) if self._pattern else data

    def text(self, text: str) -> str:
        if not self._pattern:
            return text
        return self.data(text.encode(errors="surrogateescape")).decode(errors="surrogateescape")

    def within(self, value: Any) -> Any:
        """Data without secrets: hidden before it is written as JSON, which spells them anew."""
        if not self._pattern:
            return value
        if isinstance(value, dict):
            return {key: self.within(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.within(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def stream(self, echo: Echo) -> Outlet:
        """A receiver that passes output on without secrets, also one that comes in pieces."""
        rests = {"out": b"", "err": b""}

        def receive(name: str, data: bytes) -> None:
            clean, rests[name] = self._cleaned(rests[name] + data)
            if clean:
                echo(name, clean)

        def finish() -> None:
            for name, rest in rests.items():
                begun = self._begun(rest)
                if begun >= SHORTEST:  # output that was cut off in the middle of a secret
                    echo(name, self.data(rest[: len(rest) - begun]) + REDACTED)
                elif rest:
                    echo(name, self.data(rest))

        return receive, finish

    def _cleaned(self, data: bytes) -> tuple[bytes, bytes]:
        """Redact what later output cannot change; return it, and the tail that is undecided."""
        if not self._pattern:
            return data, b""
        cut, at, clean = len(data) - self._begun(data), 0, []
        for match in self._pattern.finditer(data):
            if match.end() > cut:  # a longer one may begin in it
                cut = min(cut, match.start())
                break
            clean += [data[at : match.start()], REDACTED]
            at = match.end()
        return b"".join([*clean, data[at:cut]]), data[cut:]

    def _begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a secret."""
        for size in range(min(self._longest, len(data)), 0, -1):
            end = data[-size:]
            place = bisect_right(self._forms, end)  # behind `end` itself: a whole one has been met
            if place < len(self._forms) and self._forms[place].startswith(end):
                return size
        return 0


def _any_of(forms: Sequence[bytes]) -> bytes:
    """A pattern for any of some sorted, distinct forms, and for the longest of those that fit.

    What they have in common at their beginning stands in it once: a plain list of all forms would
    be tried in full at every byte.
    """
    if len(forms) == 1:
        return re.escape(forms[0])
    first, last = forms[0], forms[-1]
    pairs = zip(first, last, strict=False)
    same = next((n for n, (one, other) in enumerate(pairs) if one != other), len(first))
    head, tails = first[:same], [form[same:] for form in forms]
    ends = tails[0] == b""
    groups = groupby(tails[ends:], lambda tail: tail[:1])
    parts = b"|".join(_any_of(list(group)) for _, group in groups)
    return re.escape(head) + b"(?:" + parts + (b")?" if ends else b")")
