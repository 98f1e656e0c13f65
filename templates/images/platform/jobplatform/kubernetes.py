"""Kubernetes as the manager and the API speak with it: few verbs, plain JSON, no client library."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn, Protocol

import urllib3
from urllib3.connection import HTTPConnection

Object = dict[str, Any]
GROUPS = {"networkpolicies": "apis/networking.k8s.io/v1"}
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE = 500
_LONGEST = 1024 * 1024
_LARGEST = 8 * 1024 * 1024
"""Bytes of a line: of a log, and of a watch, whose objects have no more than 3 MiB."""
_CONNECT, _READ = 3, 20
_WATCHED, _SILENT = 60, 70
"""Seconds: for how long a watch is asked for, and an open one that says nothing is waited for."""
_KEPT_ALIVE = [
    *HTTPConnection.default_socket_options, (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10), (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
]  # fmt: skip
"""A machine that is gone is found after 25 seconds, by watches that wait, too."""


class Away(Exception):
    """Kubernetes does not answer, or not in time. Whether it did what was asked is not known."""


class Gone(Away):
    """Kubernetes does not know any more what changed since then, and has to be asked for all."""


class Refused(Exception):
    """Kubernetes will not do this, whenever it is asked."""


class Kubernetes(Protocol):
    def all(self, kind: str, selector: str = "") -> list[Object]:
        """All objects of a kind, of all namespaces."""

    def create(self, kind: str, space: str, made: Object) -> bool:
        """Whether it was made; False: the name is taken."""

    def delete(self, kind: str, space: str, name: str) -> None:
        """Ask for its end. It may be gone already."""

    def release(self, space: str, pod: str) -> None:
        """Take a pod's finalizers away. It may be gone already."""


class Logs(Protocol):
    def log(self, space: str, pod: str, since: str) -> Iterator[bytes] | None:
        """The lines that a pod's container printed from a second on, each behind its time; None:
        there is no such pod."""


class Watched(Protocol):
    def listed(self, kind: str, selector: str) -> tuple[list[Object], str]:
        """All objects of a kind, and the version as of which."""

    def changes(self, kind: str, selector: str, version: str) -> Iterator[Object]:
        """Each change since a version, for a minute at most: its `type` and the `object`, of which
        a BOOKMARK has only the version. Gone, now or later: all has to be listed again."""


class Cluster:
    """The cluster in which this runs, by the pod's own service account."""

    def __init__(self, address: str, account: Path = ACCOUNT) -> None:
        self.address, self.account = address.rstrip("/"), account
        self.pool = urllib3.PoolManager(
            ca_certs=str(account / "ca.crt"), retries=False, maxsize=8,
            timeout=urllib3.Timeout(connect=_CONNECT, read=_READ), socket_options=_KEPT_ALIVE,
        )  # fmt: skip

    def all(self, kind: str, selector: str = "") -> list[Object]:
        return self.listed(kind, selector)[0]

    def listed(self, kind: str, selector: str = "") -> tuple[list[Object], str]:
        found: list[Object] = []
        following = version = ""
        while True:
            asked = {"limit": str(_PAGE), "labelSelector": selector, "continue": following}
            page = self._ask("GET", self._path(kind), fields=asked)
            found += page.get("items", [])
            meta = page.get("metadata", {})
            version = version or str(meta.get("resourceVersion", ""))
            following = meta.get("continue", "")
            if not following:
                return found, version

    def create(self, kind: str, space: str, made: Object) -> bool:
        return self._ask("POST", self._path(kind, space), made, taken=409) is not None

    def delete(self, kind: str, space: str, name: str) -> None:
        self._ask("DELETE", f"{self._path(kind, space)}/{name}", taken=404)

    def release(self, space: str, pod: str) -> None:
        body = {"metadata": {"finalizers": None}}
        self._ask("PATCH", f"{self._path('pods', space)}/{pod}", body, taken=404)

    def log(self, space: str, pod: str, since: str) -> Iterator[bytes] | None:
        url = f"{self._path('pods', space)}/{pod}/log"
        asked = {"timestamps": "true", **({"sinceTime": since} if since else {})}
        return self._stream(url, asked, 404)

    def changes(self, kind: str, selector: str, version: str) -> Iterator[Object]:
        asked = {"watch": "true", "labelSelector": selector, "timeoutSeconds": str(_WATCHED),
                 "allowWatchBookmarks": "true", "resourceVersion": version}  # fmt: skip
        url = self._path(kind)
        lines = self._stream(url, asked, silent=_SILENT, largest=_LARGEST) or ()
        return (_change(line, url) for line in lines if line.strip())

    def _stream(
        self, url: str, asked: dict[str, str], taken: int = 0, silent: float = _READ,
        largest: int = _LONGEST,
    ) -> Iterator[bytes] | None:  # fmt: skip
        try:
            answer = self.pool.request(
                "GET", url, fields=asked, headers=self._headers(), preload_content=False,
                timeout=urllib3.Timeout(connect=_CONNECT, read=silent),
            )  # fmt: skip
            if answer.status == 200:
                return _lines(answer, url, largest)
            data = answer.data
        except urllib3.exceptions.HTTPError as error:
            raise Away(f"GET {url}: {error}") from error
        _read(answer.status, data, taken, f"GET {url}")
        return None

    def _headers(self) -> dict[str, str]:
        token = (self.account / "token").read_text().strip()  # Kubernetes renews the file
        return {"Authorization": f"Bearer {token}"}

    def _path(self, kind: str, space: str = "") -> str:
        within = f"/namespaces/{space}" if space else ""
        return f"{self.address}/{GROUPS.get(kind, 'api/v1')}{within}/{kind}"

    def _ask(
        self, method: str, url: str, body: Object | None = None, taken: int = 0,
        fields: dict[str, str] | None = None,
    ) -> Any:  # fmt: skip
        kind = "merge-patch+json" if method == "PATCH" else "json"
        headers = {**self._headers(), "Content-Type": f"application/{kind}"}
        data = None if body is None else json.dumps(body).encode()
        try:
            answer = self.pool.request(method, url, body=data, fields=fields, headers=headers)
        except urllib3.exceptions.HTTPError as error:
            raise Away(f"{method} {url}: {error}") from error
        return _read(answer.status, answer.data, taken, f"{method} {url}")


def _lines(answer: urllib3.BaseHTTPResponse, url: str, largest: int) -> Iterator[bytes]:
    """The lines of an answer as it comes; one that is too long is cut."""
    rest = b""
    try:
        for data in answer.stream(65536):
            *whole, rest = (rest + data).split(b"\n")
            yield from (line + b"\n" for line in whole)
            if len(rest) > largest:
                yield rest + b"\n"
                rest = b""
        yield rest
    except urllib3.exceptions.HTTPError as error:
        raise Away(f"GET {url}: {error}") from error
    finally:
        answer.close()  # the reader may have had enough of it


def _change(line: bytes, url: str) -> Object:
    """A line of a watch. An error is told by one, too: the answer had begun before."""
    try:
        found = json.loads(line)
        what, about = found["type"], found["object"]
    except (LookupError, TypeError, ValueError) as error:
        raise Away(f"GET {url}: a line of the watch makes no sense: {error}") from error
    if what == "ERROR":
        _failed(int(about.get("code", 500)), str(about.get("message", about)), f"GET {url}")
    return {"type": what, "object": about}


def _read(code: int, data: bytes, taken: int, what: str) -> Any:
    if code == taken:
        return None
    try:
        found = json.loads(data)
    except ValueError:
        found = {}
    if code in range(200, 300) and isinstance(found, dict):
        return found
    words = str(found.get("message", code)) if isinstance(found, dict) else str(code)
    _failed(code, words, what)


def _failed(code: int, words: str, what: str) -> NoReturn:
    if code in {400, 403, 404, 405, 409, 413, 422}:
        raise Refused(words)
    raise (Gone if code == 410 else Away)(f"{what}: {code} {words}")
