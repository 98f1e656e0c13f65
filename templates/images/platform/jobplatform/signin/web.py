"""Questions to providers, over HTTPS. Addresses and bodies may hold secrets, so nothing here says
them again."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit

import urllib3

from jobplatform.signin.proof import Away

LARGEST = 1024 * 1024
_FORM = "application/x-www-form-urlencoded"
_HERE = {"127.0.0.1", "::1", "localhost"}


class Web(Protocol):
    def ask(
        self, method: str, address: str, headers: Mapping[str, str], fields: Mapping[str, str] = {}
    ) -> tuple[int, Any]:
        """The status and what the JSON of an answer says; Away where there is none. `fields` are
        those of a form, or of a GET's query."""


class Https:
    """`ca`: authorities that count beside those of the system."""

    def __init__(self, ca: str = "") -> None:
        context = ssl.create_default_context()
        if ca:
            context.load_verify_locations(cadata=ca)
        self._pool = urllib3.PoolManager(
            maxsize=4, retries=False, timeout=urllib3.Timeout(connect=5, read=10),
            ssl_context=context,
        )  # fmt: skip

    def ask(
        self, method: str, address: str, headers: Mapping[str, str], fields: Mapping[str, str] = {}
    ) -> tuple[int, Any]:
        if not private(address):
            raise Away("an address of the provider's is not https")
        form, target, body = urlencode(fields), address, None
        if method == "GET":
            target = f"{address}?{form}" if form else address
        else:
            headers, body = {**headers, "Content-Type": _FORM}, form.encode()
        try:
            answer = self._pool.request(
                method, target, headers={"Accept": "application/json", **headers}, body=body,
                redirect=False, preload_content=False,
            )  # fmt: skip
            content = answer.read(LARGEST + 1)
            answer.release_conn()
        except urllib3.exceptions.HTTPError as error:
            raise Away(f"the provider does not answer: {type(error).__name__}") from None
        if len(content) > LARGEST:
            raise Away("the provider's answer is too large")
        try:
            return answer.status, json.loads(content)
        except (ValueError, RecursionError):
            raise Away(f"the provider answers {answer.status} and no JSON") from None


def private(address: str) -> bool:
    """Whether nobody else can listen there: https, or this very machine."""
    try:
        found = urlsplit(address)
        host = found.hostname
    except ValueError:
        return False
    if not host or found.username or found.password:
        return False
    return found.scheme == "https" or (found.scheme == "http" and host in _HERE)
