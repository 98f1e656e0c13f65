"""The public keys of a provider, which it changes now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jwt

from jobplatform.signin.proof import Rejected

KEPT, PAUSE = 3600.0, 30.0
"""Seconds for which keys count without being read again, and between two readings for the sake of
a key that is not among them: nobody can make us ask without end."""
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"), "EdDSA": "OKP",
}  # fmt: skip
"""Algorithms that count, and the kind of key that each needs: none that takes a shared secret, and
not `none`."""


class Keys:
    def __init__(self, read: Callable[[], Sequence[Any]], clock: Callable[[], float]) -> None:
        self._ask, self._clock = read, clock
        self._known: Sequence[Any] = ()
        self._at: float | None = None
        self._lock = threading.Lock()

    def of(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        """The key that a token's header names. Where it is not known, the keys are read again."""
        algorithm, name = str(header.get("alg")), header.get("kid")
        if algorithm not in KINDS:
            raise Rejected("the token is signed in a way that does not count")
        for again in (False, True):
            fitting = [one for one in self._all(again) if _fits(one, algorithm, name)]
            if len(fitting) == 1:
                return jwt.PyJWK(fitting[0], algorithm)
        raise Rejected("no key of the provider's fits the token")

    def _all(self, again: bool) -> Sequence[Any]:
        with self._lock:
            age = None if self._at is None else self._clock() - self._at
            if age is None or age > (PAUSE if again else KEPT):
                self._known, self._at = self._ask(), self._clock()
            return self._known


def _fits(key: Any, algorithm: str, name: object) -> bool:
    return (
        isinstance(key, dict) and key.get("kty") == KINDS[algorithm]
        and key.get("use", "sig") == "sig" and key.get("alg", algorithm) == algorithm
        and (name is None or key.get("kid") == name)
    )  # fmt: skip
