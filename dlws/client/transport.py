"""One request to the platform's API and its answer; nothing is sent anywhere else."""

from __future__ import annotations

import http.client
import json
import select
import ssl
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.program import PROGRAM

SECONDS = 60
LARGEST = 64 * 1024 * 1024
_PASSING = {429, 502, 503, 504}
_HERE = {"127.0.0.1", "::1", "localhost"}
Answer = tuple[int, bytes, str]


class Passing(DeployError):
    """What may pass by itself: nothing answers yet, or what stands before it says so."""


class Told(DeployError):
    """A refusal that a program can tell apart by its word, as those of RFC 8628."""

    def __init__(self, word: str, message: str) -> None:
        super().__init__(message)
        self.word = word


def checked(address: str, plain: bool = False) -> str:
    """The address, where a password may be sent there: over TLS, to this machine itself, or where
    a person says that the network is to be trusted."""
    try:
        found = urlsplit(address)
        port = found.port
    except ValueError as error:
        raise UsageError(f"{address!r} is no address: {error}", "https://HOST[:PORT]") from None
    if found.username or found.password:
        raise UsageError("an address has no name and no password in it", "leave them out")
    right = found.scheme in {"http", "https"} and found.hostname and port != 0
    if not right or found.query or found.fragment or not address.isascii():
        raise UsageError(f"{address!r} is no address", "write it as https://cluster.example.org")
    if found.scheme == "http" and not plain and found.hostname not in _HERE:
        raise UsageError(
            f"{address} would show your password and your jobs to whoever listens",
            "use https://, or add --plain where the network is yours alone",
        )
    return address.rstrip("/")


@dataclass
class Transport:
    """Requests to one address, one after the other, on a connection that is kept."""

    address: str
    token: str = field(default="", repr=False)
    ca_file: str = ""
    _kept: http.client.HTTPConnection | None = field(default=None, repr=False)

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        """The answer; DeployError where it was refused, or none came."""
        asked = {key: value for key, value in query.items() if value not in (None, "", [])}
        tail = f"?{urlencode(asked, doseq=True)}" if asked else ""
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Length": str(len(data))}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        target = f"{urlsplit(self.address).path}{path}{tail}"
        return self._read(self._exchange(method, target, data, headers))

    def _exchange(self, method: str, target: str, data: bytes, headers: dict[str, str]) -> Answer:
        """Ask once. Only a GET is said again, where a kept connection had ended meanwhile."""
        kept = self._kept is not None
        try:
            return self._once(method, target, data, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            if kept and method == "GET":
                return self._exchange(method, target, data, headers)
            unsure = "" if method == "GET" else "; whether it did what was asked is not known"
            words = str(error) or type(error).__name__
            final = isinstance(error, ssl.SSLCertVerificationError)
            raise (DeployError if final else Passing)(
                f"{self.address} does not answer: {words}{unsure}", self._cure(error)
            ) from error

    def _once(self, method: str, target: str, data: bytes, headers: dict[str, str]) -> Answer:
        if self._kept and _ended(self._kept):
            self.close()
        if self._kept is None:
            self._kept = self._connection()
        self._kept.request(method, target, body=data or None, headers=headers)
        answer = self._kept.getresponse()
        content = answer.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise http.client.HTTPException(f"its answer has more than {LARGEST} bytes")
        return answer.status, content, answer.headers.get("Retry-After", "")

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.address)
        host = str(parts.hostname)
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, parts.port, timeout=SECONDS)
        context = ssl.create_default_context(cafile=self.ca_file or None)
        return http.client.HTTPSConnection(host, parts.port, timeout=SECONDS, context=context)

    def _cure(self, error: Exception) -> str:
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"name the certificate's authority: {PROGRAM} login {self.address} --ca-file FILE"
            )
        return "look whether this is the platform's address, and whether this machine reaches it"

    def _read(self, answer: Answer) -> Any:
        status, content, retry = answer
        try:
            found, understood = json.loads(content or b"null"), True
        except ValueError:
            found, understood = None, False
        if status in range(200, 300) and understood:
            return found
        if status in range(200, 400):
            raise DeployError(
                f"{self.address} is not the platform's API: it answers {status} and no JSON",
                "use the address that an administrator gave you; the API may lie below /apis",
            )
        detail = found.get("detail") if isinstance(found, dict) else None
        if status == 400 and isinstance(found, dict) and isinstance(found.get("error"), str):
            raise Told(found["error"], _words(detail) or found["error"])
        raise self._refusal(status, _words(detail) or f"it answers {status}", retry)

    def _refusal(self, status: int, words: str, retry: str) -> DeployError:
        if status == 401:
            return Refused(words, f"sign in: {PROGRAM} login {self.address}")
        if status == 403:
            return Refused(words, "ask an administrator of the virtual cluster")
        if status == 422:
            return UsageError(words, "correct what is named there")
        if status in _PASSING:
            return Passing(words, f"ask again in {retry or 'a few'} seconds")
        return DeployError(words)

    def close(self) -> None:
        if self._kept:
            self._kept.close()
            self._kept = None


def _ended(kept: http.client.HTTPConnection) -> bool:
    """Whether a connection that is kept was ended meanwhile: something is there to be read, where
    nothing was asked. What is sent over it would be lost, and might have been done."""
    if kept.sock is None:  # it will be opened anew
        return False
    looked = select.poll()
    looked.register(kept.sock, select.POLLIN)
    return bool(looked.poll(0))


def _words(detail: Any) -> str:
    """What the API says: a sentence, or places and what is wrong there."""
    if isinstance(detail, list):
        return "; ".join(f"{_place(one)}: {one.get('msg')}" for one in detail
                         if isinstance(one, dict))  # fmt: skip
    return str(detail) if detail else ""


def _place(one: dict[str, Any]) -> str:
    parts = [str(part) for part in one.get("loc", ()) if part not in {"body", "query", "path"}]
    return ".".join(parts) or "the request"
