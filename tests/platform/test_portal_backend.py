"""The portal as a role of the image, and its requests to an API on a port."""

from __future__ import annotations

import http.server
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from jobplatform import __main__ as roles
from jobplatform.portal.backend import Http, Refusal, ask, part
from jobplatform.settings import Missing, api_address
from tests.support.platform.clients import settle
from tests.support.platform.served import served


class Said:
    """Answers always the same."""

    def __init__(self, status: int, body: bytes) -> None:
        self.answer = (status, "7", body)

    def send(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, str, bytes]:
        return self.answer


def test_the_role_needs_the_apis_address_and_no_database(
    database: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PLATFORM_DATABASE_NAME", raising=False)
    monkeypatch.delenv("PLATFORM_API", raising=False)
    assert roles.main(["portal"]) == 1
    assert "set PLATFORM_API" in capsys.readouterr().err
    started: list[tuple[Any, dict[str, Any]]] = []
    monkeypatch.setattr(uvicorn, "run", lambda app, **more: started.append((app, more)))
    with served(database) as address:
        monkeypatch.setenv("PLATFORM_API", address)
        assert roles.main(["portal"]) == 0
        ((app, more),) = started
        assert (more["port"], more["access_log"]) == (5000, False)
        with TestClient(app, base_url="https://portal.example.org") as client:
            assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
            assert client.get("/jobs").url.path == "/sign-in"
    with TestClient(app) as client:
        assert (client.get("/healthz").status_code, client.get("/readyz").status_code) == (200, 503)


def test_what_is_no_address_is_said() -> None:
    assert api_address({"PLATFORM_API": "http://10.96.0.20:5000"}) == "http://10.96.0.20:5000"
    for wrong in ("", "restfulapi2:5000", "file:///etc/passwd"):
        with pytest.raises(Missing, match="PLATFORM_API"):
            api_address({"PLATFORM_API": wrong})


def test_requests_reach_the_api_with_the_visitors_token(database: Engine) -> None:
    tokens = settle(database)
    with served(database) as address:
        backend = Http(f"{address}/")
        assert ask(backend, tokens["ann"], "GET", "/api/v1/me")["user"] == "ann"
        job = {"name": "é", "vc": "a", "image": "x:1", "command": "ls"}
        number = ask(backend, tokens["ann"], "POST", "/api/v1/jobs", job)["id"]
        page = ask(backend, tokens["ann"], "GET", "/api/v1/jobs", vc="", status="", limit=1)
        assert page["jobs"][0]["name"] == "é"
        assert ask(backend, tokens["ann"], "POST", f"/api/v1/jobs/{number}/stop") == {
            "status": "killing"
        }
        for token, code in [("", 401), (tokens["bob"], 404)]:
            with pytest.raises(Refusal) as caught:
                ask(backend, token, "GET", f"/api/v1/jobs/{number}")
            assert caught.value.status == code


def test_nothing_that_answers_is_told_as_that() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        backend = Http(f"http://127.0.0.1:{unused.getsockname()[1]}")
        for method, unsure in (("GET", False), ("POST", True)):
            with pytest.raises(Refusal) as caught:
                ask(backend, "", method, "/x")
            assert (caught.value.status, caught.value.retry) == (503, "5")
            assert ("is not known" in caught.value.words) == unsure


@contextmanager
def hanging_up() -> Iterator[tuple[str, list[str]]]:
    """A server that reads a request and ends the connection: its address, and what it was asked."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            asked.append(self.rfile.readline().decode().split()[0])
            self.close_connection = True

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(("method", "times"), [("GET", 2), ("POST", 1), ("PUT", 1)])
def test_only_what_changes_nothing_is_said_again(method: str, times: int) -> None:
    with hanging_up() as (address, asked):
        with pytest.raises(Refusal, match="does not answer now"):
            ask(Http(address), "", method, "/x")
        assert asked == [method] * times


@pytest.mark.parametrize(
    ("status", "body", "told", "words"),
    [(200, b"<html>", 502, "not the platform's API"), (302, b"", 502, "not the platform's API"),
     (500, b"<html>", 500, "answers 500"), (418, b'{"detail": "tea"}', 418, "tea"),
     (422, b'{"detail": [{"loc": ["body", "image"], "msg": "bad"}, "x"]}', 422, "image: bad"),
     (422, b'{"detail": [{"msg": "bad"}]}', 422, "the request: bad"), (503, b"[]", 503, "503")],
)  # fmt: skip
def test_answers_are_told_in_words(status: int, body: bytes, told: int, words: str) -> None:
    with pytest.raises(Refusal, match=words) as caught:
        ask(Said(status, body), "", "GET", "/x")
    assert caught.value.status == told


def test_no_text_in_a_path_leads_elsewhere() -> None:
    assert [part(text) for text in ("a b", "../x", "..", ".", "", "a?b#c/é")] == [
        "a%20b", "..%2Fx", "%2E%2E", "%2E", "-", "a%3Fb%23c%2F%C3%A9",
    ]  # fmt: skip
