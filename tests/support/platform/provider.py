"""A provider of sign-in on a port of this machine: it signs real tokens, and a test may spoil them.

It speaks OpenID Connect and, below /sns, WeChat's dialect. Whoever comes is `who`, and consents.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jobplatform.model.signin import Group, SignIn, Way

CLIENT, SECRET = "the-platform", "a secret/of the client's: é"
ADDRESS = "https://portal.example.org"
ANN = {"sub": "person-1", "email": "new@example.org", "email_verified": True}
_KEYS = [rsa.generate_private_key(65537, 2048) for _ in range(2)]
_CURVE = ec.generate_private_key(ec.SECP256R1())


@dataclass
class Provider:
    """`claims` and `header` take the place of what a token would say; `alone`: claims that only
    the place for them tells; `said` is all that it was asked."""

    issuer: str = ""
    who: dict[str, Any] = field(default_factory=lambda: dict(ANN))
    claims: dict[str, Any] = field(default_factory=dict)
    header: dict[str, Any] = field(default_factory=dict)
    alone: dict[str, Any] = field(default_factory=dict)
    published: dict[str, Any] = field(default_factory=dict)
    alg: str = "RS256"
    number: int = 0
    away: bool = False
    members: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    elsewhere: str = ""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    said: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def key(self) -> Any:
        return _CURVE if self.alg == "ES256" else _KEYS[self.number]

    def jwks(self) -> dict[str, Any]:
        """The key that it signs with now; it has no other."""
        kind = "ES256" if self.alg == "ES256" else "RS256"
        public = jwt.get_algorithm_by_name(kind).to_jwk(self.key().public_key(), as_dict=True)
        encrypts = {**public, "use": "enc", "kid": "another"}
        return {"keys": [encrypts, {**public, "use": "sig", "kid": f"key-{self.number}"}]}

    def description(self) -> dict[str, Any]:
        places = {"authorization_endpoint": "authorize", "token_endpoint": "token",
                  "jwks_uri": "jwks", "userinfo_endpoint": "userinfo"}  # fmt: skip
        made = {name: f"{self.issuer}/{place}" for name, place in places.items()}
        return {"issuer": self.issuer, **made, **self.published}

    def consent(self, address: str) -> dict[str, str]:
        """What a browser that is sent to this address comes back with."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked
        return {"code": code, "state": asked["state"], "iss": self.issuer}

    def token(self, given: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        asked = self.codes.pop(given.get("code", ""), None)
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if not self.knows(given, authorization):
            return 401, {"error": "invalid_client"}
        if (
            asked is None
            or asked["code_challenge"] != challenge
            or asked["code_challenge_method"] != "S256"
            or asked["redirect_uri"] != given["redirect_uri"]
        ):
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "for-userinfo", "token_type": "Bearer",
                     "id_token": self.signed(asked["nonce"])}  # fmt: skip

    def knows(self, given: dict[str, str], authorization: str) -> bool:
        if "client_secret_post" in self.published.get("token_endpoint_auth_methods_supported", ()):
            return (given.get("client_id"), given.get("client_secret")) == (CLIENT, SECRET)
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        return (unquote(pair[0]), unquote(pair[2])) == (CLIENT, SECRET)

    def signed(self, nonce: str) -> str:
        now = int(time.time())
        usual = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": nonce}
        found = {**usual, **self.who, **self.claims}
        found = {name: value for name, value in found.items() if value is not None}
        shared = {"none": "", "HS256": SECRET * 2}
        key = shared[self.alg] if self.alg in shared else self.key()
        header = {"kid": f"key-{self.number}", **self.header}
        return jwt.encode(found, key, self.alg, {k: v for k, v in header.items() if v is not None})

    def wechat(self, given: dict[str, str]) -> dict[str, Any]:
        if (given["appid"], given["secret"]) != (CLIENT, SECRET):
            return {"errcode": 40125, "errmsg": "invalid appsecret"}
        if self.codes.pop(given["code"], None) is None:
            return {"errcode": 40029, "errmsg": "invalid code"}
        return {"access_token": "x", "openid": self.who["sub"], "scope": "snsapi_login"}

    def granted(self, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """What an application gets for itself in Microsoft's directory."""
        wanted = (CLIENT, SECRET, "client_credentials", "https://graph.microsoft.com/.default")
        names = ("client_id", "client_secret", "grant_type", "scope")
        if tuple(given.get(name) for name in names) != wanted:
            return 401, {"error": "invalid_client"}
        return 200, {"access_token": "for-graph"}

    def directory(self, path: str, given: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """The people of a group, one a page."""
        rows = self.members.get(path.split("/")[3])
        if rows is None:
            return 404, {"error": {"code": "Request_ResourceNotFound"}}
        at = int(given.get("$skip", 0))
        more = {"@odata.nextLink": f"{self.elsewhere or self.issuer}{quote(path)}?$skip={at + 1}"}
        return 200, {"value": rows[at : at + 1], **(more if at + 1 < len(rows) else {})}

    def answer(self, path: str, given: dict[str, str], authorization: str) -> tuple[int, Any]:
        if self.away:
            return 503, {"error": "temporarily_unavailable"}
        if path.startswith("/v1.0/groups/"):
            known = authorization == "Bearer for-graph"
            return self.directory(unquote(path), given) if known else (401, {})
        places: dict[str, Callable[[], tuple[int, Any]]] = {
            "/token": lambda: self.token(given, authorization),
            "/userinfo": lambda: self.userinfo(authorization),
            "/oauth2/v2.0/token": lambda: self.granted(given),
            "/sns/oauth2/access_token": lambda: (200, self.wechat(given)),
            "/.well-known/openid-configuration": lambda: (200, self.description()),
            "/jwks": lambda: (200, self.jwks()),
        }
        return places.get(path, lambda: (404, {}))()

    def userinfo(self, authorization: str) -> tuple[int, Any]:
        known = authorization == "Bearer for-userinfo"
        return (200, {**self.who, **self.alone}) if known else (401, {})


class _Handler(BaseHTTPRequestHandler):
    provider: Provider

    def do_GET(self) -> None:
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self._answer(dict(parse_qsl(self.rfile.read(length).decode())))

    def _answer(self, given: dict[str, str]) -> None:
        path = urlsplit(self.path).path
        self.provider.said.append((self.command, self.path, given))
        if path == "/authorize":
            back = self.provider.consent(self.path)
            self.send_response(302)
            self.send_header("Location", f"{given['redirect_uri']}?{urlencode(back)}")
            content = b""
        else:
            status, found = self.provider.answer(path, given, self.headers.get("Authorization", ""))
            content = json.dumps(found).encode()
            self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: `said` has it."""


@contextmanager
def serving() -> Iterator[Provider]:
    made = Provider()
    handler = type("Handler", (_Handler,), {"provider": made})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        made.issuer = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()


def told(issuer: str, address: str = ADDRESS, **way: Any) -> SignIn:
    """Two ways to sign in, and who is let in: all of example.org, with numbers from 5001 on."""
    shared = {"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET}
    ways = [{"name": "corp", "title": "Corp <b>", **shared, "groups": {"gpu": 3000}, **way},
            {"name": "wechat", "title": "WeChat", "kind": "wechat", **shared,
             "authorize": f"{issuer}/authorize"}]  # fmt: skip
    group = Group(allowed=("@example.org",), low=5001, high=5002, gid=5000, open=True)
    return SignIn(
        address=address, ways=tuple(Way.model_validate(one) for one in ways), groups=(group,)
    )


@pytest.fixture
def provider() -> Iterator[Provider]:
    with serving() as made:
        yield made
