"""What a provider has to say, and what is said where it does not."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol


class Away(Exception):
    """The provider does not answer now, or not as one."""


class Rejected(Exception):
    """What came back proves nothing. The words are for a log; whoever asked learns no more than
    that it was refused."""


@dataclass(frozen=True)
class Asked:
    """What was put into the question, and has to come back with the answer."""

    state: str
    nonce: str
    verifier: str
    back: str


@dataclass(frozen=True)
class Proof:
    """Who a provider says that it is: `subject` never changes, `name` is an address where the
    provider vouches for one; `groups` is None where it said nothing about them."""

    issuer: str
    subject: str
    name: str = ""
    groups: Collection[str] | None = None


class Provider(Protocol):
    def address(self, asked: Asked) -> str:
        """Where a person's browser is sent."""

    def proof(self, asked: Asked, code: str, issuer: str) -> Proof:
        """Who came back with a code; `issuer` is what the answer said beside it, if anything."""
