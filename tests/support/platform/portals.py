"""The portal as a browser uses it: the real API behind it, cookies kept, forms filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from jobplatform.portal.app import create
from jobplatform.portal.backend import Refusal
from jobplatform.portal.visitor import SESSION
from jobplatform.store import people
from jobplatform.store.database import changing
from tests.support.platform.clients import PASSWORD, Api, serving, settle
from tests.support.platform.kubernetes import FakeKubernetes

SITE = "https://portal.example.org"


class Asked:
    """The API's application, asked without a network; `away`: nothing answers."""

    def __init__(self, client: TestClient) -> None:
        self.client, self.away = client, False
        self.sent: list[tuple[str, str]] = []

    def send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        self.sent.append((method, target))
        if self.away:
            raise Refusal(503, "the platform's API does not answer now", "5")
        answer = self.client.request(method, target, content=body, headers=dict(headers))
        return answer.status_code, answer.headers.get("retry-after", ""), answer.content


class _Read(HTMLParser):
    """Elements with their attributes, and the text that a person reads."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> _Read:
    found = _Read()
    found.feed(html)
    return found


@dataclass
class Browser:
    """One person's: cookies stay, links are not followed by themselves."""

    client: httpx2.Client
    language: str = "en"
    seen: list[Any] = field(default_factory=list)

    def get(self, path: str, **more: Any) -> Any:
        headers = {"Accept-Language": self.language}
        answer = self.client.get(path, headers=headers, follow_redirects=False, **more)
        self.seen.append(answer)
        return answer

    def post(self, path: str, fields: Mapping[str, str], page: str = "/sign-in") -> Any:
        """Send a form with the seal that a page gives."""
        given = {"seal": self.seal(page), **fields}
        headers = {"Accept-Language": self.language}
        answer = self.client.post(path, data=given, headers=headers, follow_redirects=False)
        self.seen.append(answer)
        return answer

    def seal(self, page: str = "/sign-in") -> str:
        found = re.search(r'name="seal" value="([0-9a-f]{64})"', self.get(page).text)
        assert found
        return found[1]


@dataclass
class Portal:
    api: Api
    asked: Asked
    kubernetes: FakeKubernetes
    app: Any

    def browser(self, who: str = "", language: str = "en") -> Browser:
        """A new browser; with a name, one that is signed in by that person's token."""
        client = TestClient(self.app, base_url=SITE, raise_server_exceptions=False)
        if who:
            client.cookies.set(SESSION, self.api.tokens[who], domain="portal.example.org")
        return Browser(client, language)


@pytest.fixture
def portal(database: Engine) -> Iterator[Portal]:
    kubernetes = FakeKubernetes()
    with serving(database, kubernetes) as client:
        api = Api(database, client, settle(database))
        with changing(database) as connection:
            people.set_password(connection, "ann", PASSWORD)
        api.tokens["ann"] = _token(database, "ann")
        asked = Asked(client)
        yield Portal(api, asked, kubernetes, create(asked))


def _token(database: Engine, who: str) -> str:
    """Another one: those before ended when the password was set."""
    with changing(database) as connection:
        return people.give_token(connection, who, "test", 3600)
