"""A local Azure over HTTPS: Resource Manager and the login server, for the unmodified SDK."""

from __future__ import annotations

import json
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.support.arm.arm import Answer, Arm
from tests.support.arm.routes import ROUTES
from tests.support.serving import in_background

TENANT = "99999999-8888-7777-6666-555555555555"
TOKEN = "token.of.the-local-azure"
SECRET = "s3cret/of+the local=client"
ENVIRONMENT = {"AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": "local-client",
               "AZURE_CLIENT_SECRET": SECRET}  # fmt: skip


def certificate(place: Path) -> tuple[Path, Path]:
    """A key, and a certificate for 127.0.0.1 that is its own authority."""
    key, crt = place / "tls.key", place / "tls.crt"
    hosts = "subjectAltName=IP:127.0.0.1,DNS:arm.dlws.test,DNS:login.dlws.test"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-subj", "/CN=here", "-addext", hosts, "-keyout",
             str(key), "-out", str(crt)]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    return key, crt


class Handler(BaseHTTPRequestHandler):
    """One connection; the server has what answers."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: Server

    def _serve(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(size)
        answer = self._login() if self._is_login() else self._arm(raw)
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in {"Content-Type": "application/json", **answer.headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        self.wfile.flush()

    do_GET = do_PUT = do_POST = do_PATCH = do_DELETE = do_HEAD = _serve

    def _arm(self, raw: bytes) -> Answer:
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            error = {"code": "ExpiredAuthenticationToken", "message": "The access token expired."}
            return Answer(401, {"error": error})
        return self.server.arm.answer(self.command, self.path, json.loads(raw) if raw else None)

    def _is_login(self) -> bool:
        return self.path.startswith((f"/{TENANT}/", "/common/"))

    def _login(self) -> Answer:
        self.server.logins.append(self.path)
        at = f"{self.server.arm.base}/{TENANT}"
        if self.path.endswith("/token"):
            return Answer(200, {"token_type": "Bearer", "expires_in": 3600, "ext_expires_in": 3600,
                                "access_token": TOKEN})  # fmt: skip
        return Answer(
            200,
            {
                "token_endpoint": f"{at}/oauth2/v2.0/token",
                "issuer": f"{at}/v2.0",
                "authorization_endpoint": f"{at}/oauth2/v2.0/authorize",
                "tenant_discovery_endpoint": f"{at}/v2.0/.well-known/openid-configuration",
            },
        )

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Serves one local Azure."""

    daemon_threads = True

    def __init__(self, arm: Arm) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.arm, self.token = arm, TOKEN
        self.logins: list[str] = []


class Local:
    """A local Azure that is served, and how a configuration names it."""

    def __init__(self, server: Server, ca: Path) -> None:
        self.server, self.ca = server, ca

    @property
    def arm(self) -> Arm:
        return self.server.arm

    @property
    def cloud(self) -> str:
        base = self.arm.base
        return f"cloud: {{resource_manager: '{base}', authority: '{base}'}}"

    def environment(self) -> dict[str, str]:
        """What a process needs to log in here, and to trust this server alone."""
        return {**ENVIRONMENT, "REQUESTS_CA_BUNDLE": str(self.ca), "NO_PROXY": "127.0.0.1"}

    def renew(self) -> None:
        """Begin anew, with nothing there."""
        base, self.server.arm = self.arm.base, Arm(ROUTES)
        self.server.arm.base, self.server.token = base, TOKEN
        self.server.logins.clear()


@contextmanager
def serving(place: Path) -> Iterator[Local]:
    """A local Azure, until the end of the block."""
    key, crt = certificate(place)
    tls: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(crt, key)
    server = Server(Arm(ROUTES))
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.arm.base = f"https://127.0.0.1:{server.server_address[1]}"
    with in_background(server):
        yield Local(server, crt)
