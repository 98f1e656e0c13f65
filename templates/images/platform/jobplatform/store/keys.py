"""Public keys of people, by which they will get into their jobs. A key is one person's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, and_, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from jobplatform.model.sshkeys import PublicKey
from jobplatform.store.people import Taken
from jobplatform.store.tables import public_keys

MOST = 50


class Full(Exception):
    """A person has as many keys or tokens as one may have."""


def of(connection: Connection, user: str) -> Sequence[Any]:
    asked = select(
        public_keys.c.id, public_keys.c.title, public_keys.c.fingerprint,
        public_keys.c.publicKey, public_keys.c.time,
    )  # fmt: skip
    mine = public_keys.c.userName == user
    return connection.execute(asked.where(mine).order_by(public_keys.c.id)).all()


def add(connection: Connection, user: str, title: str, key: PublicKey) -> int:
    counted = select(func.count()).select_from(public_keys).where(public_keys.c.userName == user)
    if connection.execute(counted).scalar_one() >= MOST:
        raise Full(f"you have {MOST} keys: remove one first")
    values = {"userName": user, "title": title, "fingerprint": key.fingerprint,
              "publicKey": key.line}  # fmt: skip
    try:
        made = connection.execute(insert(public_keys).values(values))
    except IntegrityError as error:
        raise Taken("this key is somebody's already") from error
    return int(made.lastrowid)


def drop(connection: Connection, user: str, number: int) -> bool:
    mine = and_(public_keys.c.userName == user, public_keys.c.id == number)
    return bool(connection.execute(delete(public_keys).where(mine)).rowcount)
