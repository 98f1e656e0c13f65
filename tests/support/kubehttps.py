"""An API server over TLS with what a test puts there, for programs that run by themselves."""

from __future__ import annotations

import base64
import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from dlws.access.certificates import Pair, new_ca, new_certificate
from dlws.kubernetes.credentials import Credentials
from tests.support.serving import in_background


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.wfile.write(self.server.answer(self.path.partition("?")[0]))

    do_GET = do_PATCH = do_DELETE = do_POST = do_PUT = _answer

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Lists the objects that it has at each path, or answers all with one answer of its own."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), Handler)
        self.lists: dict[str, list[Any]] = {}
        self.always = b""
        self.ca: Pair = new_ca("test")

    def answer(self, path: str) -> bytes:
        return self.always or response(200, json.dumps({"items": self.lists.get(path, [])}))

    def admin_conf(self, directory: Path) -> None:
        """Have a cluster's directory know this server."""
        pair = new_certificate(self.ca, ["admin"])
        found = [base64.b64encode(text.encode()).decode()
                 for text in (self.ca.certificate, pair.certificate, _bare(pair.key))]  # fmt: skip
        url = f"https://{self.server_address[0]!s}:{self.server_address[1]}"
        path = directory / "deploy/sshkey/admin.conf"
        path.write_text(yaml.safe_dump(Credentials(*found).kubeconfig("bench", url)))
        path.chmod(0o600)


def _bare(key: str) -> str:
    """A key as PEM alone."""
    return key[key.index("-----BEGIN") :]


def response(status: int, body: str, reason: bytes = b"Words") -> bytes:
    data = body.encode(errors="surrogateescape")
    head = b"HTTP/1.1 %d %b\r\nContent-Type: application/json\r\n" % (status, reason)
    return head + b"Content-Length: %d\r\n\r\n%b" % (len(data), data)


@contextmanager
def serving(address: str, place: Path) -> Iterator[Server]:
    server = Server(address)
    pair = new_certificate(server.ca, ["kubernetes", address])
    both = place / "server.pem"
    both.write_text(pair.certificate + pair.key)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(both)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    with in_background(server):
        yield server
