"""Users: names, ids that stay theirs, and the key pair that their jobs use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dlws.core.errors import Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.database import jobs
from dlws.database.client import Change, Database
from dlws.database.names import checked

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.config.model.users import UserGroup

FIRST, LAST = 30001, 899999999
"""Ids of users for whom no group of config.yaml has a range; those above are of other things."""
LOWEST = 1000
"""Below it are the ids of system users."""
SIGN_INS = ("login", "tokens", "grants", "externals", "public_keys")
"""The job platform's tables of what lets a person in."""


@dataclass(frozen=True)
class User:
    """A row of the table identity, without the keys."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()


@dataclass
class Known:
    """Who there is, and the ids of who was."""

    users: dict[str, User] = field(default_factory=dict)
    removed: dict[str, User] = field(default_factory=dict)

    @property
    def taken(self) -> set[int]:
        return {user.uid for user in (*self.users.values(), *self.removed.values())}


@dataclass(frozen=True)
class UserRequest:
    """What a person asks for a user; None: as config.yaml or the table has it."""

    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None


def known(database: Database) -> Known:
    rows = database.rows("SELECT identityName, uid, gid, `groups` FROM identity ORDER BY uid")
    gone = database.rows("SELECT identityName, uid, gid FROM identity_removed")
    return Known(
        {row["identityName"]: _user(row) for row in rows},
        {row["identityName"]: _user(row) for row in gone},
    )


def _user(row: dict[str, Any]) -> User:
    return User(row["identityName"], row["uid"], row["gid"], _numbers(row.get("groups") or "[]"))


def _numbers(text: str) -> tuple[int, ...]:
    """The group ids in a JSON list; older tables have names there, which say nothing."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return ()
    return (
        tuple(int(one) for one in found if str(one).isdecimal()) if isinstance(found, list) else ()
    )


def group_id(config: Config, word: str) -> int:
    """The gid that a person means: a number, or the name of one of UserGroups."""
    if word.isdecimal():
        return int(word)
    group = config.user_groups.get(word)
    if group and group.gid.isdecimal():
        return int(group.gid)
    names = ", ".join(config.user_groups) or "none"
    raise UsageError(f"no group {word!r} with a gid is in UserGroups", f"groups there: {names}")


def asked(config: Config, uid: int | None, gid: str | None, groups: tuple[str, ...]) -> UserRequest:
    """What the options of a command line ask for."""
    return UserRequest(
        uid,
        group_id(config, gid) if gid else None,
        tuple(group_id(config, word) for word in groups) if groups else None,
    )


def belongs(name: str, group: UserGroup) -> bool:
    """Whether an address is one of a group's, or of its domains'."""
    low = name.lower()
    return any(low == one.lower() or (one.startswith("@") and low.endswith(one.lower()))
               for one in group.allowed)  # fmt: skip


def administrators(config: Config) -> list[str]:
    """The people who are named in the groups of administrators."""
    groups = [config.user_groups[name] for name in config.webui_admin_groups
              if name in config.user_groups]  # fmt: skip
    allowed = [one for group in groups for one in group.allowed]
    return [checked("user", one) for one in dict.fromkeys(allowed) if not one.startswith("@")]


def planned(config: Config, people: Known, name: str, asked: UserRequest) -> User:
    """What a user is to be: as he is, else with ids that nobody has or had."""
    checked("user", name)
    groups = [group for group in config.user_groups.values() if belongs(name, group)]
    old = people.users.get(name) or people.removed.get(name)
    uid = _same_uid(old, asked.uid, name) if old else _new_uid(people, groups, asked.uid, name)
    gids = [int(group.gid) for group in groups if group.gid.isdecimal()]
    gid = asked.gid if asked.gid is not None else old.gid if old else next(iter(gids), uid)
    mine = people.users.get(name)
    more = asked.groups if asked.groups is not None else mine.groups if mine else tuple(gids)
    return User(name, uid, gid, tuple(dict.fromkeys(more)))


def _same_uid(old: User, wanted: int | None, name: str) -> int:
    if wanted not in (None, old.uid):
        raise UsageError(
            f"{name} has the uid {old.uid}, by which his files are known",
            f"leave --uid out, or give --uid {old.uid}",
        )
    return old.uid


def _new_uid(people: Known, groups: Sequence[UserGroup], wanted: int | None, name: str) -> int:
    taken = people.taken
    if wanted is not None:
        owner = [user.name for user in (*people.users.values(), *people.removed.values())
                 if user.uid == wanted]  # fmt: skip
        if owner or not LOWEST <= wanted <= LAST:
            why = f"is (or was) that of {owner[0]}" if owner else f"is not within {LOWEST}-{LAST}"
            raise UsageError(f"the uid {wanted} {why}", "choose another one, or leave --uid out")
        return wanted
    for low, high in (*_ranges(groups), (FIRST, LAST)):
        # Behind the last one, so that ids tell the order; else in a gap.
        last = max((uid for uid in taken if low <= uid <= high), default=low - 1)
        if last < high:
            return last + 1
        if gap := next((uid for uid in range(low, high + 1) if uid not in taken), None):
            return gap
    raise UsageError(f"no uid is left for {name}", "widen a range of uid in UserGroups")


def _ranges(groups: Iterable[UserGroup]) -> Iterator[tuple[int, int]]:
    for group in groups:
        low, _, high = group.uid.replace(" ", "").partition("-")
        if low.isdecimal() and (high or low).isdecimal():
            yield int(low), int(high or low)


def additions(
    config: Config, people: Known, names: Iterable[str], wanted: UserRequest | None = None
) -> list[Change]:
    """What makes these users be; `people` has them from then on."""
    changes = []
    for name in names:
        user = planned(config, people, name, wanted or UserRequest())
        old = people.users.get(name)
        if old is None:
            changes += [_insert(user), *_back(people, name)]
        elif old != user:
            changes.append(_update(user))
        people.users[name] = user
        people.removed.pop(name, None)
    return changes


def _insert(user: User) -> Change:
    from dlws.nodes.directory import generate_key

    private, public = generate_key(user.name)
    return Change(
        f"add the user {user.name} (uid {user.uid}, gid {user.gid})",
        "INSERT INTO identity (identityName, uid, gid, `groups`, public_key, private_key)"
        " VALUES (%s, %s, %s, %s, %s, %s)",
        (user.name, user.uid, user.gid, json.dumps(user.groups), public.decode(), private.decode()),
    )


def _back(people: Known, name: str) -> list[Change]:
    if name not in people.removed:
        return []
    sql = "DELETE FROM identity_removed WHERE identityName = %s"
    return [Change(f"give {name} the ids of before", sql, (name,))]


def _update(user: User) -> Change:
    return Change(
        f"set gid {user.gid} and groups {list(user.groups)} of {user.name}",
        "UPDATE identity SET gid = %s, `groups` = %s WHERE identityName = %s",
        (user.gid, json.dumps(user.groups), user.name),
    )


def removals(database: Database, names: Iterable[str]) -> list[Change]:
    """What removes users, their permissions and what lets them in; their ids stay theirs.
    Refused: who has jobs."""
    people = known(database).users
    found = [people[name] for name in dict.fromkeys(names) if name in people]
    for user in found:
        if running := jobs.unfinished(database, "userName", user.name):
            raise Refused(
                f"{user.name} has {jobs.words(running)}",
                f"end them first; they are listed by: {PROGRAM} db connect",
            )
    tables = _sign_ins(database)
    ends = [_ends(table, user) for user in found for table in tables if _has(database, table, user)]
    return [change for user in found for change in _removal(user)] + ends


def _sign_ins(database: Database) -> list[str]:
    """Those of the platform's tables that there are: they come with its first start."""
    sql = "SELECT table_name AS t FROM information_schema.tables WHERE table_schema = %s"
    there = {row["t"] for row in database.rows(sql, database.name)}
    return [table for table in SIGN_INS if table in there]


def _has(database: Database, table: str, user: User) -> bool:
    return bool(database.rows(f"SELECT 1 FROM `{table}` WHERE userName = %s LIMIT 1", user.name))


def _ends(table: str, user: User) -> Change:
    """Left there, it would let somebody in again once the user is added back."""
    return Change(
        f"remove what lets {user.name} in (table {table})",
        f"DELETE FROM `{table}` WHERE userName = %s", (user.name,),
    )  # fmt: skip


def _removal(user: User) -> list[Change]:
    keep = replace(user, groups=())
    return [
        Change(f"remove the user {user.name} (uid {user.uid} stays his)",
               "DELETE FROM identity WHERE identityName = %s", (user.name,)),
        Change(f"remove the permissions of {user.name}",
               "DELETE FROM acl WHERE identityName = %s", (user.name,)),
        Change(f"keep the ids of {user.name}",
               "REPLACE INTO identity_removed (identityName, uid, gid) VALUES (%s, %s, %s)",
               (keep.name, keep.uid, keep.gid)),
    ]  # fmt: skip
