"""The platform's API as the portal asks it: with the visitor's token, and with nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import urllib3

_AWAY = "the platform's API does not answer now"
_UNSURE = "; whether it did what was asked is not known"


class Refusal(Exception):
    """What the API says where it does not do what was asked; 503 where nothing answers."""

    def __init__(self, status: int, words: str, retry: str = "") -> None:
        super().__init__(words)
        self.status, self.words, self.retry = status, words, retry


class Backend(Protocol):
    def send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        """The status, Retry-After and body of an answer; Refusal where there is none."""


class Http:
    """The API at an address. Only a GET is said again, where a kept connection had ended."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        again = urllib3.Retry(
            1, connect=0, redirect=False, allowed_methods={"GET"}, respect_retry_after_header=False
        )
        self.pool = urllib3.PoolManager(
            retries=again, maxsize=16, timeout=urllib3.Timeout(connect=3, read=30)
        )

    def send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        try:
            answer = self.pool.request(
                method, f"{self.address}{target}", body=body, headers=headers, redirect=False
            )
        except urllib3.exceptions.HTTPError:
            raise Refusal(503, _AWAY + ("" if method == "GET" else _UNSURE), "5") from None
        return answer.status, answer.headers.get("Retry-After", ""), answer.data


def ask(
    backend: Backend, token: str, method: str, path: str, body: Any = None, **query: Any
) -> Any:
    """The API's answer; Refusal where it is another than that all went well."""
    given = {key: value for key, value in query.items() if value not in (None, "", [])}
    tail = f"?{urlencode(given, doseq=True)}" if given else ""
    data = b"" if body is None else json.dumps(body).encode()
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return _read(*backend.send(method, path + tail, data, headers))


def part(text: str) -> str:
    """A text as one part of a path: nothing in it leads elsewhere."""
    return "%2E" * len(text) if text in {".", ".."} else quote(text or "-", safe="")


def _read(status: int, retry: str, content: bytes) -> Any:
    try:
        found, understood = json.loads(content or b"null"), True
    except ValueError:
        found, understood = None, False
    if status in range(200, 300) and understood:
        return found
    if status in range(200, 400):
        raise Refusal(502, "what answers is not the platform's API")
    detail = found.get("detail") if isinstance(found, dict) else None
    raise Refusal(status, _words(detail) or f"the platform's API answers {status}", retry)


def _words(detail: Any) -> str:
    """What the API says: a sentence, or places and what is wrong there."""
    if isinstance(detail, list):
        return "; ".join(f"{_place(one)}: {one.get('msg')}" for one in detail
                         if isinstance(one, dict))  # fmt: skip
    return str(detail) if detail else ""


def _place(one: Mapping[str, Any]) -> str:
    parts = [str(part) for part in one.get("loc", ()) if part not in {"body", "query", "path"}]
    return ".".join(parts) or "the request"
