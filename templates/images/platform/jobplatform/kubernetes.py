"""Kubernetes as the manager and the API speak with it: few verbs, plain JSON, no client library."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import urllib3

Object = dict[str, Any]
GROUPS = {"networkpolicies": "apis/networking.k8s.io/v1"}
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_PAGE = 500
_LONGEST = 1024 * 1024
_WATCHED = 15
"""Seconds: less than a silent connection is waited for."""


class Away(Exception):
    """Kubernetes does not answer, or not in time. Whether it did what was asked is not known."""


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
    def changes(self, kind: str, selector: str) -> Iterator[bytes]:
        """A line for each change of such an object from now on, for some seconds."""


class Cluster:
    """The cluster in which this runs, by the pod's own service account."""

    def __init__(self, address: str, account: Path = ACCOUNT) -> None:
        self.address, self.account = address.rstrip("/"), account
        self.pool = urllib3.PoolManager(
            ca_certs=str(account / "ca.crt"), retries=False, maxsize=8,
            timeout=urllib3.Timeout(connect=3, read=20),
        )  # fmt: skip

    def all(self, kind: str, selector: str = "") -> list[Object]:
        found: list[Object] = []
        following = ""
        while True:
            asked = {"limit": str(_PAGE), "labelSelector": selector, "continue": following}
            page = self._ask("GET", self._path(kind), fields=asked)
            found += page.get("items", [])
            following = page.get("metadata", {}).get("continue", "")
            if not following:
                return found

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

    def changes(self, kind: str, selector: str) -> Iterator[bytes]:
        """A line for each change of such an object from now on, for some seconds."""
        url = self._path(kind)
        page = self._ask("GET", url, fields={"limit": "1", "labelSelector": selector})
        now = str(page.get("metadata", {}).get("resourceVersion", ""))
        asked = {"watch": "true", "labelSelector": selector, "timeoutSeconds": str(_WATCHED)}
        asked["resourceVersion"] = now
        yield from self._stream(url, asked) or ()

    def _stream(self, url: str, asked: dict[str, str], taken: int = 0) -> Iterator[bytes] | None:
        try:
            answer = self.pool.request(
                "GET", url, fields=asked, headers=self._headers(), preload_content=False
            )
            if answer.status == 200:
                return _lines(answer, url)
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


def _lines(answer: urllib3.BaseHTTPResponse, url: str) -> Iterator[bytes]:
    """The lines of an answer as it comes; one that is too long is cut."""
    rest = b""
    try:
        for data in answer.stream(65536):
            *whole, rest = (rest + data).split(b"\n")
            yield from (line + b"\n" for line in whole)
            if len(rest) > _LONGEST:
                yield rest + b"\n"
                rest = b""
        yield rest
    except urllib3.exceptions.HTTPError as error:
        raise Away(f"GET {url}: {error}") from error
    finally:
        answer.close()  # the reader may have had enough of it


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
    if code in {400, 403, 404, 405, 409, 413, 422}:
        raise Refused(words)
    raise Away(f"{what}: {code} {words}")
