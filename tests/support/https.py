"""A server on loopback that curl trusts, for what is fetched over https alone."""

from __future__ import annotations

import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.serving import in_background


class Site:
    """What the server has: content by path, or a place to be sent to."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.content: dict[str, bytes] = {}
        self.moved: dict[str, str] = {}
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"https://{self.address}"


@contextmanager
def serving(tls: ssl.SSLContext | None) -> Iterator[Site]:
    """A server that answers until the end of the block."""
    site = Site("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.asked.append(self.path)
            content, target = site.content.get(self.path), site.moved.get(self.path)
            self.send_response(302 if target else 404 if content is None else 200)
            if target:
                self.send_header("Location", target)
            self.send_header("Content-Length", str(len(content or b"")))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(content or b"")

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.address = f"127.0.0.1:{server.server_address[1]}"
    with in_background(server):
        yield site


@pytest.fixture
def plain() -> Iterator[Site]:
    """A server without TLS, which nothing may be fetched from."""
    with serving(None) as site:
        yield site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    key, certificate = tmp_path / "tls.key", tmp_path / "tls.crt"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    words += ["-nodes", "-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    words += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(words, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setenv("CURL_CA_BUNDLE", str(certificate))
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    with serving(tls) as found:
        yield found
