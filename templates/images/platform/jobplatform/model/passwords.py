"""Passwords and tokens: what is stored of them cannot be turned back."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_COST = {"n": 2**14, "r": 8, "p": 1}
_MEMORY = 64 * 1024 * 1024


def hashed(password: str) -> str:
    """What is stored of a password."""
    salt = secrets.token_bytes(16)
    return f"scrypt:{_text(salt)}:{_text(_scrypt(password, salt))}"


def matches(password: str, stored: str) -> bool:
    """Whether it is the password; a stored value of another kind matches nothing."""
    kind, _, rest = stored.partition(":")
    salt, _, digest = rest.partition(":")
    if kind != "scrypt" or not digest:
        return False
    found = _scrypt(password, base64.b64decode(salt))
    return hmac.compare_digest(_text(found), digest)


def new_token() -> str:
    return f"dlws_{secrets.token_urlsafe(32)}"


def fingerprint(token: str) -> str:
    """What is stored of a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).hexdigest()


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, maxmem=_MEMORY, dklen=32, **_COST)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


NOBODY = hashed(secrets.token_hex())
"""Compared with where there is no such account, so that the answer takes as long."""
