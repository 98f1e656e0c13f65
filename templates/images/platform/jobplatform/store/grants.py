"""Programs that wait for a person to let them in. Codes are stored as hashes, count for ten minutes
and give one token."""

from __future__ import annotations

import secrets
from contextlib import suppress
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from jobplatform.model import grant
from jobplatform.model.grant import Word
from jobplatform.model.passwords import fingerprint
from jobplatform.store.database import Clock, now
from jobplatform.store.signins import Busy
from jobplatform.store.tables import grant_guesses, grants

MOST = 10_000
GUESSES = 10
"""Wrong codes of one person within the time that a code counts."""
_WAITS, _APPROVED, _REFUSED = "", "approved", "refused"
_MS = grant.LASTS * 1000


def begin(connection: Connection, machine: str) -> tuple[str, str]:
    """The program's code and the person's. An old row stays for a while, to say what became of
    it."""
    connection.execute(delete(grants).where(grants.c.expires < Clock() - _MS))
    if connection.execute(select(func.count()).select_from(grants)).scalar_one() >= MOST:
        raise Busy("too many programs wait for people to sign in: wait a minute")
    device, user = secrets.token_urlsafe(32), grant.new_code()
    values = {"device": fingerprint(device), "code": fingerprint(user), "machine": machine,
              "state": _WAITS, "userName": "", "expires": now(connection) + _MS, "asked": 0,
              "pace": grant.PACE}  # fmt: skip
    try:
        connection.execute(insert(grants).values(values))
    except IntegrityError as error:
        raise Busy("another program has this code: begin again") from error
    return device, user


def waiting(connection: Connection, code: str) -> Row[Any] | None:
    """The program that waits with this code of a person's."""
    return connection.execute(select(grants).where(_open(code))).one_or_none()


def answer(connection: Connection, code: str, user: str, approve: bool) -> str | None:
    """Let the program in as that user, or do not, and its machine; None where none waits."""
    row = waiting(connection, code)
    if row is None:
        return None
    state = _APPROVED if approve else _REFUSED
    told = update(grants).where(_open(code)).values(state=state, userName=user)
    return str(row.machine) if connection.execute(told).rowcount else None


def _open(code: str) -> Any:
    mine = grants.c.code == fingerprint(grant.typed(code))
    return and_(mine, grants.c.state == _WAITS, grants.c.expires > Clock())


def ask(connection: Connection, device: str) -> Word | Row[Any]:
    """What became of it: a word, or the row once, of whom approved it."""
    mine = grants.c.device == fingerprint(device)
    row = connection.execute(select(grants).where(mine).with_for_update()).one_or_none()
    at = now(connection)
    if row is None:
        return "invalid_grant"
    if row.expires <= at:
        return "expired_token"
    if row.state == _REFUSED:
        return "access_denied"
    if row.state == _APPROVED:
        taken = connection.execute(delete(grants).where(mine)).rowcount
        return row if taken else "invalid_grant"
    hasty = at - row.asked < row.pace * 1000
    pace = min(row.pace + grant.SLOWER, grant.SLOWEST) if hasty else row.pace
    connection.execute(update(grants).where(mine).values(asked=at, pace=pace))
    return "slow_down" if hasty else "authorization_pending"


def may_guess(connection: Connection, user: str) -> bool:
    """Whether a person may look for a code: not after too many wrong ones."""
    mine = and_(grant_guesses.c.userName == user, grant_guesses.c.since > Clock() - _MS)
    wrong = connection.execute(select(grant_guesses.c.wrong).where(mine)).scalar_one_or_none()
    return (wrong or 0) < GUESSES


def guessed(connection: Connection, user: str) -> None:
    """Count a code that there is not."""
    mine, at = grant_guesses.c.userName == user, now(connection)
    row = connection.execute(select(grant_guesses).where(mine).with_for_update()).one_or_none()
    values = {"wrong": 1, "since": at}
    if row is not None:
        if row.since > at - _MS:
            values = {"wrong": row.wrong + 1}
        connection.execute(update(grant_guesses).where(mine).values(values))
        return
    with suppress(IntegrityError), connection.begin_nested():  # two at once count as one
        connection.execute(insert(grant_guesses).values(userName=user, **values))
