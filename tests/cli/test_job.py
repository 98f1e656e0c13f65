"""What people of the job platform see of answers that other people had a hand in."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.support.farm.faults import ESCAPES
from tests.support.terminals import deploy_on_a_terminal, told

ODD = ESCAPES.decode(errors="replace")
JOB = {
    **dict.fromkeys(("id", "name", "user", "vc", "status"), ODD),
    **dict.fromkeys(("priority", "attempt", "ended", "started", "queued"), 1),
    "request": {"command": ODD}, "reason": {"sentence": ODD, "cause": ODD},
}  # fmt: skip
LOG = "10 %\r20 %\r30 %\r\n\x1b[31mred\n\x1b]52;c;aGk=\x07"
ANSWERS: dict[str, Any] = {
    "/api/v1/me": {"user": ODD, "vcs": [ODD]},
    "/api/v1/jobs": {"jobs": [JOB], "next": None},
    "/api/v1/jobs/1": JOB,
    "/api/v1/jobs/1/events": [{"at": 1, "actor": ODD, "status": ODD, "reason": JOB["reason"]}],
    "/api/v1/jobs/1/log": {"text": LOG, "cursor": "", "more": False, "status": "finished"},
    "/api/v1/jobs/1/stop": {"status": ODD},
    "/api/v1/keys": [{"id": 1, "title": ODD, "fingerprint": ODD, "added": 1}],
    "/api/v1/tokens": [{"id": 1, "label": ODD, "expires": 1, "used": None}],
    "/api/v1/device-grants": {"verification_uri": f"https://{ODD}", "user_code": ODD,
                              "device_code": "d", "expires_in": 9, "interval": 1},
    "/api/v1/device-grants/token": {"access_token": "t"},
}  # fmt: skip


class Odd(BaseHTTPRequestHandler):
    """A platform whose every word is an escape sequence; below /refused it says so with them."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.partition("?")[0]
        refused = path.startswith("/refused")
        found = {"detail": ODD} if refused else ANSWERS.get(path, {})
        body = json.dumps(found).encode()
        self.send_response(409 if refused else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def odd() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Odd)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def screen(place: Path, address: str, *words: str, code: int | None = 0) -> str:
    account = place / "dlws/login.json"
    account.parent.mkdir(exist_ok=True)
    account.write_text(json.dumps({"address": address, "user": "u", "token": "abc"}))
    account.chmod(0o600)
    here = {"XDG_CONFIG_HOME": str(place)}
    return told(deploy_on_a_terminal(place, *words, code=code, environment=here))


@pytest.mark.parametrize("words", [
    ("job", "list"),
    ("job", "list", "--output", "json"),
    ("job", "show", "1"),
    ("job", "explain", "1"),
    ("job", "stop", "1"),
    ("keys", "list"),
    ("keys", "token", "list"),
    ("login", "ADDRESS"),
])  # fmt: skip
def test_nothing_that_the_platform_says_touches_the_terminal(
    odd: str, tmp_path: Path, words: tuple[str, ...]
) -> None:
    for address, code in ((odd, 0), (f"{odd}/refused", 1)):
        typed = [address if word == "ADDRESS" else word for word in words]
        said = screen(tmp_path, address, *typed, code=code)
        assert "^A" in said or "\\u0001" in said


def test_a_log_shows_the_states_of_a_progress_bar_one_by_one(odd: str, tmp_path: Path) -> None:
    shown = "10 %\n20 %\n30 %\n\x1b[31mred\x1b[0m\n^[]52;c;aGk=^G"
    assert screen(tmp_path, odd, "job", "logs", "1") == shown


def test_rows_of_tables_are_ours(odd: str, tmp_path: Path) -> None:
    assert len(screen(tmp_path, odd, "job", "list").rstrip().split("\n")) == 2
    assert len(screen(tmp_path, odd, "keys", "list").rstrip().split("\n")) == 2
    forged = [line for line in screen(tmp_path, odd, "job", "show", "1").split("\n")
              if line.startswith("plain ")]  # fmt: skip
    assert forged == [], "the last line of what a value says"
