"""One leader: a row with a name in it and an end, by the clock of the database."""

from __future__ import annotations

from sqlalchemy import Connection, and_, delete, insert, or_, update
from sqlalchemy.exc import IntegrityError

from jobplatform.store.database import Clock
from jobplatform.store.tables import leases


def take(connection: Connection, name: str, holder: str, milliseconds: int) -> bool:
    """Whether the lease is the holder's now: taken, or kept for longer."""
    free = or_(leases.c.holder == holder, leases.c.expires < Clock())
    changed = connection.execute(
        update(leases)
        .where(and_(leases.c.name == name, free))
        .values(holder=holder, expires=Clock() + milliseconds)
    )
    if changed.rowcount:
        return True
    values = {"name": name, "holder": holder, "expires": Clock() + milliseconds}
    try:
        with connection.begin_nested():
            connection.execute(insert(leases).values(values))
    except IntegrityError:
        return False
    return True


def keep(connection: Connection, name: str, holder: str, milliseconds: int) -> bool:
    """Whether it is the holder's still, and for longer now. Once it ended, it is not taken back:
    another may have led meanwhile, and what was seen before is no longer true."""
    mine = and_(leases.c.name == name, leases.c.holder == holder, leases.c.expires > Clock())
    return bool(
        connection.execute(
            update(leases).where(mine).values(expires=Clock() + milliseconds)
        ).rowcount
    )


def leave(connection: Connection, name: str, holder: str) -> None:
    """Let another one lead at once."""
    connection.execute(delete(leases).where(and_(leases.c.name == name, leases.c.holder == holder)))
