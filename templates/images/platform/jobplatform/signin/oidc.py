"""OpenID Connect: the code flow with PKCE, state and nonce; its documents are read when needed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import jwt

from jobplatform.model.signin import Way, name_of
from jobplatform.signin.keys import Keys
from jobplatform.signin.proof import Asked, Away, Proof, Rejected
from jobplatform.signin.web import Web, private

KEPT, PAUSE = 3600.0, 5.0
"""Seconds for which a provider's documents count without being read again, and for which one that
did not answer is left alone: whoever asks then does not wait, nor keep others waiting."""
LEEWAY = 60
"""Seconds by which its clock may differ from ours."""
_OLDEST = 600
Claims = Mapping[str, Any]


class Oidc:
    """One provider; what it publishes is kept for a while."""

    def __init__(self, way: Way, web: Web, clock: Callable[[], float] = time.monotonic) -> None:
        self.way, self.web, self.clock = way, web, clock
        self._found: dict[str, Any] = {}
        self._read, self._failed = 0.0, -PAUSE
        self._lock = threading.Lock()
        self.keys = Keys(self._jwks, clock)

    def address(self, asked: Asked) -> str:
        challenge = hashlib.sha256(asked.verifier.encode()).digest()
        given = {
            "response_type": "code", "client_id": self.way.client_id, "redirect_uri": asked.back,
            "scope": " ".join(self.way.scopes), "state": asked.state, "nonce": asked.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).decode().rstrip("="),
            "code_challenge_method": "S256",
        }  # fmt: skip
        place = self._place("authorization_endpoint")
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(given)}"

    def proof(self, asked: Asked, code: str, issuer: str) -> Proof:
        told = self._published()
        if issuer != self.way.issuer and (
            issuer or told.get("authorization_response_iss_parameter_supported") is True
        ):
            raise Rejected("the answer is of another issuer")
        given = self._tokens(asked, code)
        claims = self._claims(str(given.get("id_token")), asked.nonce)
        return self._proof(self._with_more(claims, given))

    def _proof(self, claims: Claims) -> Proof:
        name, verified = claims.get(self.way.claim), claims.get("email_verified")
        if self.way.claim == "email" and not (verified is True or verified == "true"):
            name = ""
        groups = claims.get(self.way.groups_claim)
        if isinstance(groups, str):
            groups = [groups]
        if isinstance(groups, list):
            return Proof(self.way.issuer, claims["sub"], name_of(name), [*map(str, groups)])
        if self.way.groups_claim in (claims.get("_claim_names") or {}):
            raise Rejected("the provider has more groups of this person than it says")
        return Proof(self.way.issuer, claims["sub"], name_of(name))

    def _published(self) -> Mapping[str, Any]:
        """The provider's description of itself."""
        with self._lock:
            if self._found and self.clock() - self._read <= KEPT:
                return self._found
            if self.clock() - self._failed < PAUSE:
                raise Away("the provider did not answer just now")
            try:
                self._found, self._read = self._asked(), self.clock()
            except Away:
                self._failed = self.clock()
                raise
            return self._found

    def _asked(self) -> dict[str, Any]:
        place = f"{self.way.issuer.rstrip('/')}/.well-known/openid-configuration"
        status, found = self.web.ask("GET", place, {})
        if status != 200 or not isinstance(found, dict):
            raise Away(f"the provider answers {status} to what it publishes")
        if found.get("issuer") != self.way.issuer:
            raise Away("the provider calls itself by another name than its address")
        return found

    def _place(self, name: str) -> str:
        found = self._published().get(name)
        if not isinstance(found, str) or not private(found):
            raise Away(f"the provider has no {name} over https")
        return found

    def _jwks(self) -> Any:
        status, found = self.web.ask("GET", self._place("jwks_uri"), {})
        if status != 200 or not isinstance(found, dict) or not isinstance(found.get("keys"), list):
            raise Away(f"the provider answers {status} to its keys")
        return found["keys"]

    def _tokens(self, asked: Asked, code: str) -> Mapping[str, Any]:
        """What the provider gives for the code. The secret goes into a header, or the body where
        that alone is known; never into an address."""
        fields = {
            "grant_type": "authorization_code", "code": code, "redirect_uri": asked.back,
            "client_id": self.way.client_id, "code_verifier": asked.verifier,
        }  # fmt: skip
        secret, headers = self.way.client_secret.get_secret_value(), {}
        known = self._published().get("token_endpoint_auth_methods_supported")
        if secret and known and "client_secret_basic" not in known:
            fields["client_secret"] = secret
        elif secret:
            pair = f"{quote(self.way.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        status, found = self.web.ask("POST", self._place("token_endpoint"), headers, fields)
        if not isinstance(found, dict) or status >= 500:
            raise Away(f"the provider answers {status} for a code")
        if status != 200:
            raise Rejected(f"the provider refuses the code: {str(found.get('error'))[:40]!r}")
        return found

    def _claims(self, token: str, nonce: str) -> Claims:
        """What a token says, where the provider signed it, for us, now, and in answer to this."""
        try:
            key = self.keys.of(jwt.get_unverified_header(token))
            found = jwt.decode(
                token, key, algorithms=[key.algorithm_name], audience=self.way.client_id,
                issuer=self.way.issuer, leeway=LEEWAY, options={
                    "require": ["iss", "sub", "aud", "exp", "iat", "nonce"],
                    "enforce_minimum_key_length": True,
                },
            )  # fmt: skip
        except (jwt.PyJWTError, ValueError, TypeError) as error:
            raise Rejected(f"the token does not count: {type(error).__name__}") from None
        if not hmac.compare_digest(str(found["nonce"]).encode(), nonce.encode()):
            raise Rejected("the token answers another question")
        several = isinstance(found["aud"], list) and len(found["aud"]) > 1
        if found.get("azp", None if several else self.way.client_id) != self.way.client_id:
            raise Rejected("the token is for another client")
        if time.time() - float(found["iat"]) > _OLDEST + LEEWAY:
            raise Rejected("the token is old")
        if not found["sub"] or len(found["sub"]) > 255:
            raise Rejected("the token names nobody")
        return dict(found)

    def _with_more(self, claims: Claims, given: Mapping[str, Any]) -> Claims:
        """The claims, and where some are missing those that the provider says of the same person
        when it is asked."""
        wanted = {self.way.claim, *([self.way.groups_claim] if self.way.groups else [])}
        place, token = self._published().get("userinfo_endpoint"), given.get("access_token")
        if wanted <= claims.keys() or not place or not isinstance(token, str):
            return claims
        headers = {"Authorization": f"Bearer {token}"}
        status, found = self.web.ask("GET", self._place("userinfo_endpoint"), headers)
        if status != 200 or not isinstance(found, dict):
            raise Away(f"the provider answers {status} when it is asked who this is")
        if found.get("sub") != claims["sub"]:
            raise Rejected("the provider speaks of somebody else")
        return {**found, **claims}
