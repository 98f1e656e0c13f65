"""Sign-ins under way, and whose account a person of a provider's is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from jobplatform.model.passwords import fingerprint
from jobplatform.store.database import Clock, now
from jobplatform.store.people import Taken
from jobplatform.store.tables import externals, signins

LASTS = 600
"""Seconds that a person has for signing in at a provider."""
MOST = 20_000


class Busy(Exception):
    """Too many sign-ins are under way."""


def begin(
    connection: Connection, way: str, state: str, browser: str, nonce: str, verifier: str,
    user: str = "",
) -> None:  # fmt: skip
    """Note what was asked; `user`: who wants to be known by this way, too."""
    connection.execute(delete(signins).where(signins.c.expires < Clock()))
    if connection.execute(select(func.count()).select_from(signins)).scalar_one() >= MOST:
        raise Busy("too many people are signing in: wait a minute")
    values = {"state": fingerprint(state), "browser": fingerprint(browser), "way": way,
              "nonce": nonce, "verifier": verifier, "userName": user,
              "expires": now(connection) + LASTS * 1000}  # fmt: skip
    connection.execute(insert(signins).values(values))


def take(connection: Connection, way: str, state: str, browser: str) -> Row[Any] | None:
    """What was asked with this state, by this browser and way. It is taken once."""
    mine = and_(
        signins.c.state == fingerprint(state), signins.c.browser == fingerprint(browser),
        signins.c.way == way, signins.c.expires > Clock(),
    )  # fmt: skip
    row = connection.execute(select(signins).where(mine)).one_or_none()
    if row is None:
        return None
    taken = connection.execute(delete(signins).where(signins.c.state == row.state)).rowcount
    return row if taken else None


def owner(connection: Connection, issuer: str, subject: str) -> str | None:
    mine = and_(externals.c.issuer == issuer, externals.c.subject == subject)
    return connection.execute(select(externals.c.userName).where(mine)).scalar_one_or_none()


def bind(connection: Connection, issuer: str, subject: str, user: str) -> None:
    """From now on this person of the provider's is that user; Taken where it is another."""
    known = owner(connection, issuer, subject)
    if known is None:
        values = {"issuer": issuer, "subject": subject, "userName": user}
        try:
            connection.execute(insert(externals).values(values))
        except IntegrityError as error:
            raise Taken("somebody signs in by this for the first time right now") from error
    elif known != user:
        raise Taken("another account is signed in to by this")


def known_by(connection: Connection, issuer: str) -> set[str]:
    """The users who have signed in by a provider."""
    asked = select(externals.c.userName).where(externals.c.issuer == issuer)
    return set(connection.execute(asked).scalars())


def listed(connection: Connection, user: str) -> Sequence[Any]:
    asked = select(externals.c.id, externals.c.issuer).where(externals.c.userName == user)
    return connection.execute(asked.order_by(externals.c.id)).all()


def unbind(connection: Connection, user: str, number: int) -> bool:
    mine = and_(externals.c.userName == user, externals.c.id == number)
    return bool(connection.execute(delete(externals).where(mine)).rowcount)
