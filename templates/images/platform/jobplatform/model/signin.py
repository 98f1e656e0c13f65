"""Ways to sign in that an administrator set up, and whom they let in."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

LOWEST, FIRST, LAST = 1000, 30001, 899999999
"""Numbers below the first are the system's, those above the last are of other things; the second
is where people begin for whom no group has a range."""
SIGNED_IN = 12 * 3600
"""Seconds that a session lasts, however it began."""
_NAME = re.compile(
    r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,61}[A-Za-z0-9])?"
)


class _Told(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Way(_Told):
    """A way to sign in. `claim` says which part of a proof is a person's name; `groups` gives the
    group number for what the provider calls a group."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,30}\z")]
    kind: Literal["oidc", "wechat"] = "oidc"
    title: Annotated[str, Field(min_length=1, max_length=60)]
    issuer: Annotated[str, Field(max_length=255)]
    client_id: Annotated[str, Field(min_length=1, max_length=255)]
    client_secret: SecretStr = SecretStr("")
    claim: str = "email"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    domains: tuple[str, ...] = ()
    groups_claim: str = "groups"
    groups: dict[str, int] = {}
    authorize: str = ""


class Group(_Told):
    """Whom a group has: addresses, or @domain; the numbers that people of it get. `open`:
    those who are not known yet are let in."""

    allowed: tuple[str, ...] = ()
    low: int = 0
    high: int = 0
    gid: int = 0
    open: bool = False

    def has(self, name: str) -> bool:
        """Whether an address is one of the group's, or of its domains'."""
        low = name.lower()
        return any(low == one.lower() or (one.startswith("@") and low.endswith(one.lower()))
                   for one in self.allowed)  # fmt: skip


class SignIn(_Told):
    """`address` is the portal's, to which providers lead back; `ca` are authorities that count
    beside the usual ones."""

    address: str = ""
    ways: tuple[Way, ...] = ()
    groups: tuple[Group, ...] = ()
    ca: str = ""

    def way(self, name: str) -> Way | None:
        return next((one for one in self.ways if one.name == name), None)

    def back(self, way: Way) -> str:
        """Where a provider leads back to: another place for each, so that none speaks for one
        that it is not."""
        return f"{self.address}/sign-in/return/{way.name}"


def read(path: Path) -> SignIn:
    """What a file says; ValueError names what is wrong in it, and no value."""
    try:
        return SignIn.model_validate_json(path.read_bytes())
    except ValidationError as error:
        places = {".".join(map(str, one["loc"])) for one in error.errors()}
        raise ValueError(f"{path} cannot be read: {', '.join(sorted(places))}") from None


def name_of(text: object) -> str:
    """A person's name, which is an address; empty for what is none. Names without a domain are
    those of accounts of the platform's own."""
    found = text.lower() if isinstance(text, str) else ""
    return found if _NAME.fullmatch(found) else ""


def numbers(told: SignIn, name: str, claimed: Iterable[int]) -> tuple[int, ...]:
    """The groups that a new person is in: by address, and by what the provider says."""
    by_address = [one.gid for one in told.groups if one.gid >= LOWEST and one.has(name)]
    return tuple(dict.fromkeys([*by_address, *claimed]))


def admits(told: SignIn, name: str, claimed: Iterable[int]) -> bool:
    """Whether a person who is not known yet is let in."""
    return bool(list(claimed)) or any(one.open and one.has(name) for one in told.groups)


def ranges(told: SignIn, name: str, claimed: Iterable[int]) -> list[tuple[int, int]]:
    """Where a new person's number comes from."""
    mine = [one for one in told.groups if one.has(name)]
    mine += [one for one in told.groups if one.gid in set(claimed) and one not in mine]
    return [*((one.low, one.high) for one in mine if one.low >= LOWEST), (FIRST, LAST)]
