"""Microsoft's directory: who is in a group, and whose account is closed there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from jobplatform.model.signin import Way, name_of
from jobplatform.signin.proof import Away
from jobplatform.signin.web import Web

GRAPH = "https://graph.microsoft.com"
LOGIN = "https://login.microsoftonline.com/"
_PAGES = 1000


@dataclass(frozen=True)
class Member:
    name: str
    closed: bool


class Graph:
    """Asked as the application itself, with its own secret."""

    def __init__(self, way: Way, web: Web, graph: str = GRAPH) -> None:
        self.way, self.web, self.graph = way, web, graph
        self._token = ""

    def members(self, group: str) -> list[Member]:
        """All people of a group, also by groups in it. Away where it cannot be told: a part of
        them would look like all."""
        rows = self._pages(
            f"{self.graph}/v1.0/groups/{quote(group, safe='')}/transitiveMembers/"
            "microsoft.graph.user?$select=userPrincipalName,accountEnabled&$top=999"
        )
        found = ((name_of(row.get("userPrincipalName")), row) for row in rows)
        return [Member(name, row.get("accountEnabled") is False) for name, row in found if name]

    def _pages(self, address: str) -> Iterator[Mapping[str, Any]]:
        for _ in range(_PAGES):
            headers = {"Authorization": f"Bearer {self._granted()}"}
            status, found = self.web.ask("GET", address, headers)
            if status != 200 or not isinstance(found, dict) or "value" not in found:
                raise Away(f"the directory answers {status} to who is in a group")
            yield from found["value"]
            following = found.get("@odata.nextLink")
            if not following:
                return
            if not str(following).startswith(f"{self.graph}/"):
                raise Away("the directory leads elsewhere")
            address = str(following)
        raise Away("the directory does not come to an end")

    def _granted(self) -> str:
        if not self._token:
            place = f"{self.way.issuer.removesuffix('/v2.0')}/oauth2/v2.0/token"
            status, found = self.web.ask("POST", place, {}, {
                "grant_type": "client_credentials", "client_id": self.way.client_id,
                "client_secret": self.way.client_secret.get_secret_value(),
                "scope": f"{GRAPH}/.default",
            })  # fmt: skip
            token = found.get("access_token") if isinstance(found, dict) else None
            if status != 200 or not isinstance(token, str):
                raise Away(f"the directory answers {status} to who asks")
            self._token = token
        return self._token


def asked(way: Way) -> bool:
    """Whether a way has groups in Microsoft's directory."""
    return way.kind == "oidc" and way.issuer.startswith(LOGIN) and bool(way.groups)
