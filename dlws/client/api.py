"""The platform's API as methods. What goes in and comes out is what /api/v1/openapi.json says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any
from urllib.parse import quote

from dlws.client import account
from dlws.client.transport import Transport, checked

ENDED = frozenset({"finished", "failed", "killed", "error"})
PAUSE = 1.0
"""Seconds between two looks at a log that grows."""
_PAGE = 200
Found = dict[str, Any]


class Client:
    """A person who is signed in. Errors are `dlws.core.errors.DeployError`s."""

    def __init__(
        self, address: str, token: str = "", ca_file: str = "", plain: bool = False
    ) -> None:
        self.transport = Transport(checked(address, plain), token, ca_file)

    @classmethod
    def signed_in(cls) -> Client:
        """As whoever signed in last on this machine, by `dlws login`."""
        found = account.read()
        return cls(found.address, found.token, found.ca_file, plain=True)

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.transport.close()

    def login(self, user: str, password: str) -> str:
        """A token for a name and a password; it counts for this client from now on."""
        self.transport.token = ""
        given = {"user": user, "password": password}
        self.transport.token = str(self.transport.ask("POST", "/api/v1/login", given)["token"])
        return self.transport.token

    def logout(self) -> None:
        """End the token."""
        self.transport.ask("POST", "/api/v1/logout")

    def ready(self) -> None:
        """DeployError where the API, or its database, does not answer."""
        self.transport.ask("GET", "/readyz")

    def me(self) -> Found:
        found: Found = self.transport.ask("GET", "/api/v1/me")
        return found

    def users(self) -> list[Found]:
        """All people: numbers, and whether they have a password; administrators may."""
        found: list[Found] = self.transport.ask("GET", "/api/v1/users")
        return found

    def set_password(self, user: str, password: str) -> None:
        """Another person's password; administrators may."""
        path = f"/api/v1/users/{_part(user)}/password"
        self.transport.ask("PUT", path, {"password": password})

    def submit(self, request: Mapping[str, Any]) -> str:
        """Submit a job; its number."""
        return str(self.transport.ask("POST", "/api/v1/jobs", dict(request))["id"])

    def jobs(
        self, vc: str = "", mine: bool = False, states: Sequence[str] = (), limit: int = 50
    ) -> list[Found]:
        """The newest jobs that one may see, newest first."""
        found, before = list[Found](), None
        while len(found) < limit:
            page = self.transport.ask(
                "GET", "/api/v1/jobs", vc=vc, mine=str(mine).lower(), status=list(states),
                before=before, limit=min(limit - len(found), _PAGE),
            )  # fmt: skip
            found += page["jobs"]
            before = page["next"]
            if before is None:
                break
        return found

    def job(self, number: str) -> Found:
        found: Found = self.transport.ask("GET", f"/api/v1/jobs/{_part(number)}")
        return found

    def events(self, number: str) -> list[Found]:
        found: list[Found] = self.transport.ask("GET", f"/api/v1/jobs/{_part(number)}/events")
        return found

    def ask(self, number: str, verb: str) -> str:
        """`stop`, `pause`, `resume` or `approve` a job; the state that it has now."""
        path = f"/api/v1/jobs/{_part(number)}/{_part(verb)}"
        return str(self.transport.ask("POST", path)["status"])

    def log(self, number: str, worker: int = 0, after: str = "", tail: int | None = None) -> Found:
        """A piece of a log, and the cursor behind which the next one begins."""
        path = f"/api/v1/jobs/{_part(number)}/log"
        found: Found = self.transport.ask("GET", path, worker=worker, after=after, tail=tail)
        return found

    def read(self, number: str, worker: int = 0, tail: int | None = None) -> Iterator[str]:
        """All of a log, as it is now; or its last lines."""
        after, more = "", True
        while more:
            found = self.log(number, worker, after, tail)
            after, more = found["cursor"], found["more"]
            yield found["text"]

    def follow(
        self, number: str, worker: int = 0, seen: Callable[[str], None] = lambda state: None,
        wait: Callable[[float], None] = time.sleep, tail: int | None = None,
    ) -> Iterator[str]:  # fmt: skip
        """A log as it grows, until the job has ended or is paused. `seen` is told each state."""
        after = ""
        while True:
            found = self.log(number, worker, after, tail)
            seen(found["status"])
            after = found["cursor"]
            yield found["text"]
            if found["more"]:
                continue
            if found["status"] in ENDED | {"paused"}:
                return
            wait(PAUSE)

    def vcs(self) -> list[Found]:
        """The virtual clusters that one may use, with their quotas."""
        found: list[Found] = self.transport.ask("GET", "/api/v1/vcs")
        return found

    def keys(self) -> list[Found]:
        """One's public keys for SSH."""
        found: list[Found] = self.transport.ask("GET", "/api/v1/keys")
        return found

    def add_key(self, key: str, title: str = "") -> Found:
        """Add a public key, the line of a .pub file; its number and fingerprint."""
        given = {"key": key, **({"title": title} if title else {})}
        found: Found = self.transport.ask("POST", "/api/v1/keys", given)
        return found

    def remove_key(self, number: int) -> None:
        self.transport.ask("DELETE", f"/api/v1/keys/{number}")

    def tokens(self) -> list[Found]:
        """One's tokens: number, label, end and last use; never the token itself."""
        found: list[Found] = self.transport.ask("GET", "/api/v1/tokens")
        return found

    def make_token(self, label: str, days: int = 30) -> str:
        """A token for a program. Nobody can ask for it again."""
        given = {"label": label, "days": days}
        return str(self.transport.ask("POST", "/api/v1/tokens", given)["token"])

    def end_token(self, number: int) -> None:
        self.transport.ask("DELETE", f"/api/v1/tokens/{number}")


def _part(text: str) -> str:
    """A text as one part of a path: nothing in it leads elsewhere."""
    return "%2E" * len(text) if text in {".", ".."} else quote(text or "-", safe="")
