"""WeChat: OAuth 2.0 in its own dialect. It proves who somebody is to us, and no address."""

from __future__ import annotations

from urllib.parse import urlencode

from jobplatform.model.signin import Way
from jobplatform.signin.proof import Asked, Away, Proof, Rejected
from jobplatform.signin.web import Web


class Wechat:
    def __init__(self, way: Way, web: Web) -> None:
        self.way, self.web = way, web

    def address(self, asked: Asked) -> str:
        given = {"appid": self.way.client_id, "redirect_uri": asked.back, "response_type": "code",
                 "scope": "snsapi_login", "state": asked.state}  # fmt: skip
        return f"{self.way.authorize}?{urlencode(given)}#wechat_redirect"

    def proof(self, asked: Asked, code: str, issuer: str) -> Proof:
        """WeChat wants the secret in the address; that is said to WeChat alone."""
        given = {"appid": self.way.client_id, "secret": self.way.client_secret.get_secret_value(),
                 "code": code, "grant_type": "authorization_code"}  # fmt: skip
        place = f"{self.way.issuer.rstrip('/')}/sns/oauth2/access_token"
        status, found = self.web.ask("GET", place, {}, given)
        if status != 200 or not isinstance(found, dict):
            raise Away(f"WeChat answers {status} for a code")
        if found.get("errcode"):
            raise Rejected(f"WeChat refuses the code: {str(found['errcode'])[:20]}")
        subject = found.get("openid")
        if not isinstance(subject, str) or not 0 < len(subject) <= 255:
            raise Rejected("WeChat names nobody")
        # An openid is one person's at this very application, so that is part of the issuer.
        return Proof(f"{self.way.issuer}#{self.way.client_id}", subject)
