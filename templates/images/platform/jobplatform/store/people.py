"""People in the database: rights, identities, passwords, tokens, and who did what."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from jobplatform.model import passwords, rights
from jobplatform.store.database import Clock, now
from jobplatform.store.tables import (
    NAME,
    acl,
    aliases,
    audit,
    grants,
    identity,
    login,
    tokens,
)

_PATIENCE = 5
"""Wrong passwords before an account is locked for a while."""
MOST_TOKENS = 200
_EXACT = 10 * 60 * 1000
"""Milliseconds to which a token's last use is known: not each request writes it down."""


class Taken(Exception):
    """Another person has the name or the number already."""


_PERSON = identity.alias()
_NUMBERED = func.instr(identity.c.groups, acl.c.identityId) > 0
"""An entry's number occurs in the person's list of groups: `rights.caller` looks whether it is one
of them. So one statement has the person and the entries."""
_RIGHTS = (
    identity.c.id.label("numbered"), identity.c.groups, acl.c.identityName, acl.c.identityId,
    acl.c.resource, acl.c.permissions, acl.c.isDeny, _PERSON.c.id.label("person"),
)  # fmt: skip


def _with_rights(holder: ColumnElement[str], start: FromClause, *more: Any) -> Select[Any]:
    """People with their entries, a row for each entry, and one where there is none."""
    theirs = or_(acl.c.identityName == holder, _NUMBERED)
    people = start.outerjoin(identity, identity.c.identityName == holder)
    # An entry of a person's has the uid as its number, which may be that of a group, too.
    entries = people.outerjoin(acl, theirs)
    all_ = entries.outerjoin(_PERSON, _PERSON.c.identityName == acl.c.identityName)
    return select(*more, *_RIGHTS).select_from(all_)


_BY_TOKEN = _with_rights(
    tokens.c.userName, tokens, tokens.c.id, tokens.c.userName, tokens.c.used, Clock().label("now")
).where(and_(tokens.c.hash == bindparam("hash"), tokens.c.expires > Clock()))
_NAMED = select(bindparam("name", type_=NAME).label("name")).subquery()
_BY_NAME = _with_rights(_NAMED.c.name, _NAMED)


def by_token(connection: Connection, token: str) -> rights.Caller | None:
    """Whose token it is, with the rights of this moment: nothing is remembered between requests.
    Nobody's once it has expired. Its use is noted now and then."""
    rows = connection.execute(_BY_TOKEN, {"hash": passwords.fingerprint(token)}).all()
    if not rows:
        return None
    one = rows[0]
    if one.used is None or one.now - one.used > _EXACT:
        connection.execute(update(tokens).where(tokens.c.id == one.id).values(used=one.now))
    return _caller(str(one.userName), rows)


def caller(connection: Connection, name: str) -> rights.Caller:
    """A person with the rights of this moment."""
    return _caller(name, connection.execute(_BY_NAME, {"name": name}).all())


def _caller(name: str, rows: Sequence[Row[Any]]) -> rights.Caller:
    entries = (
        rights.Entry(
            row.identityName, 0 if row.person else row.identityId, row.resource, row.permissions,
            bool(row.isDeny),
        )
        for row in rows if row.resource is not None
    )  # fmt: skip
    one = rows[0]
    return rights.caller(name, numbers(one.groups), entries, one.numbered is not None)


def numbers(text: str | None) -> list[int]:
    """Group numbers of a stored list; names of groups, which some wrote there, give no rights."""
    try:
        found = json.loads(text or "[]")
    except ValueError:
        return []
    words = [str(one) for one in found] if isinstance(found, list) else []
    return [int(word) for word in words if word.isascii() and word.isdigit()]


def give_token(connection: Connection, user: str, label: str, seconds: int) -> str:
    token = passwords.new_token()
    keep_token(connection, token, user, label, seconds)
    return token


def keep_token(connection: Connection, token: str, user: str, label: str, seconds: int) -> None:
    """Accept a token that was made elsewhere. It may be said again."""
    digest = passwords.fingerprint(token)
    connection.execute(delete(tokens).where(tokens.c.hash == digest))
    expires = now(connection) + seconds * 1000
    values = {"hash": digest, "userName": user, "label": label, "expires": expires}
    connection.execute(insert(tokens).values(values))


def tokens_of(connection: Connection, user: str) -> Sequence[Any]:
    """Those that have not ended."""
    asked = select(tokens.c.id, tokens.c.label, tokens.c.expires, tokens.c.used)
    mine = and_(tokens.c.userName == user, tokens.c.expires > Clock())
    return connection.execute(asked.where(mine).order_by(tokens.c.id)).all()


def drop_token(connection: Connection, user: str, number: int) -> bool:
    mine = and_(tokens.c.userName == user, tokens.c.id == number)
    return bool(connection.execute(delete(tokens).where(mine)).rowcount)


def drop_this_token(connection: Connection, token: str) -> None:
    digest = passwords.fingerprint(token)
    connection.execute(delete(tokens).where(tokens.c.hash == digest))


def drop_tokens(connection: Connection, user: str) -> None:
    """End all of a person's tokens, and those that a program may fetch."""
    for table in (tokens, grants):
        connection.execute(delete(table).where(table.c.userName == user))


def set_password(connection: Connection, user: str, password: str) -> None:
    """A new password ends the tokens that the old one gave."""
    values = {"password": passwords.hashed(password), "failures": 0, "lockedUntil": 0}
    changed = connection.execute(update(login).where(login.c.userName == user).values(values))
    if not changed.rowcount:
        connection.execute(insert(login).values({"userName": user, **values}))
    drop_tokens(connection, user)


def sign_in(connection: Connection, user: str, password: str) -> str:
    """`ok`, `wrong` or `locked`. A locked account's password is not even looked at."""
    row = connection.execute(
        select(login).where(login.c.userName == user).with_for_update()
    ).one_or_none()
    if row is not None and row.lockedUntil > now(connection):
        return "locked"
    right = passwords.matches(password, row.password if row else passwords.NOBODY)
    if row is not None:
        failures = 0 if right else row.failures + 1
        wait = min(2 ** max(failures - _PATIENCE, 0), 900) if failures >= _PATIENCE else 0
        values = {"failures": failures, "lockedUntil": Clock() + wait * 1000 if wait else 0}
        connection.execute(update(login).where(login.c.userName == user).values(values))
    return "ok" if right and row is not None else "wrong"


def alias(name: str) -> str:
    """The name of a person's home and of the user in a job."""
    return name.partition("@")[0].lower()[:64]


def set_identity(
    connection: Connection, name: str, uid: int, gid: int, groups: Sequence[int | str]
) -> None:
    """A person's numbers. Nobody gets the alias or the uid of another."""
    other = and_(identity.c.uid == uid, identity.c.identityName != name)
    if connection.execute(select(identity.c.id).where(other)).first():
        raise Taken(f"uid {uid} is another person's")
    _take_alias(connection, name)
    values = {"uid": uid, "gid": gid, "groups": json.dumps(list(groups))}
    where = identity.c.identityName == name
    if not connection.execute(select(identity.c.id).where(where)).first():
        keys = {"identityName": name, "public_key": "", "private_key": ""}
        connection.execute(insert(identity).values({**keys, **values}))
    else:
        connection.execute(update(identity).where(where).values(values))


def has_password(connection: Connection, name: str) -> bool:
    return bool(connection.execute(select(login.c.id).where(login.c.userName == name)).first())


def known(connection: Connection, name: str) -> str | None:
    """The name of a person whose name differs in small and capital letters at most."""
    asked = select(identity.c.identityName).where(func.lower(identity.c.identityName) == name)
    found = connection.execute(asked).scalars().all()
    return str(found[0]) if len(found) == 1 else None


def namesake(connection: Connection, name: str) -> str | None:
    """Somebody else whose home would be this person's: with numbers, or a password."""
    short = alias(name)
    for column in (identity.c.identityName, login.c.userName):
        asked = select(column).where(func.lower(column).startswith(short, autoescape=True))
        for other in connection.execute(asked).scalars():
            if other != name and alias(other) == short:
                return str(other)
    return None


def _take_alias(connection: Connection, name: str) -> None:
    short = alias(name)
    asked = select(aliases.c.userName).where(aliases.c.alias == short)
    holder = connection.execute(asked).scalar_one_or_none()
    if holder is None and namesake(connection, name):
        raise Taken(f"the name {short} is another person's")
    if holder is None:
        try:
            connection.execute(insert(aliases).values({"alias": short, "userName": name}))
        except IntegrityError as error:
            raise Taken(f"the name {short} is another person's") from error
    elif holder != name:
        raise Taken(f"the name {short} is another person's")


def identity_of(connection: Connection, name: str) -> Any:
    asked = select(identity.c.uid, identity.c.gid, identity.c.groups)
    return connection.execute(asked.where(identity.c.identityName == name)).first()


def everybody(connection: Connection) -> Sequence[Any]:
    """All people, by name: their numbers, and a password's hash where they have one."""
    both = identity.outerjoin(login, login.c.userName == identity.c.identityName)
    asked = select(identity.c.identityName, identity.c.uid, identity.c.gid, identity.c.groups,
                   login.c.password)  # fmt: skip
    return connection.execute(asked.select_from(both).order_by(identity.c.identityName)).all()


def entries(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(select(acl).order_by(acl.c.id)).all()


def allow(connection: Connection, name: str, resource: str, permissions: int) -> None:
    where = and_(acl.c.identityName == name, acl.c.resource == resource)
    connection.execute(delete(acl).where(where))
    row = connection.execute(select(identity.c.uid).where(identity.c.identityName == name)).first()
    values = {"identityName": name, "identityId": row.uid if row else 999_999_999,
              "resource": resource, "permissions": permissions, "isDeny": 0}  # fmt: skip
    connection.execute(insert(acl).values(values))


def disallow(connection: Connection, name: str, resource: str) -> bool:
    where = and_(acl.c.identityName == name, acl.c.resource == resource)
    return bool(connection.execute(delete(acl).where(where)).rowcount)


def record(connection: Connection, actor: str, action: str, subject: str) -> None:
    """Who changed what of the platform itself."""
    values = {"at": Clock(), "actor": actor, "action": action[:255], "subject": subject[:255]}
    connection.execute(insert(audit).values(values))
