"""Who is let in by what a provider says, and with which numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import IntegrityError

from jobplatform.model import signin
from jobplatform.model.signin import SignIn, Way
from jobplatform.store import people, signins
from jobplatform.store.people import Taken
from jobplatform.store.tables import identity, identity_removed, leases


class Closed(Exception):
    """The person is not let in; the words say what to do."""


def enter(
    connection: Connection, told: SignIn, way: Way, issuer: str, subject: str, name: str,
    groups: Sequence[str] | None,
) -> str:  # fmt: skip
    """The account of a person of a provider's: the one that was signed in to by it before, else
    the one that the provider vouches for by name, which may be made now."""
    claimed = [way.groups[one] for one in groups or () if one in way.groups]
    user = signins.owner(connection, issuer, subject)
    if user is None:
        user = _by_name(connection, told, way, name, claimed)
        signins.bind(connection, issuer, subject, user)
        people.record(connection, user, f"first sign-in by {way.name}", user)
    elif people.identity_of(connection, user) is None:
        raise Closed(f"{user} was removed: ask an administrator")
    if groups is not None:
        _regroup(connection, told, way, user, claimed)
    return user


def synchronize(
    connection: Connection, told: SignIn, way: Way, members: Mapping[str, Collection[str]],
    closed: Collection[str],
) -> list[str]:  # fmt: skip
    """Bring in who is in the directory's groups, by name, and take the groups from whom is not;
    sessions of closed accounts end. What was not done, in words."""
    left, known = [], signins.known_by(connection, way.issuer)
    for name in sorted({one.lower() for one in (*members, *known, *closed)}):
        groups = members.get(name, ())
        claimed = [way.groups[one] for one in groups if one in way.groups]
        user = people.known(connection, name)
        try:
            if user is None and claimed:
                _of_its_domains(way, name)
                _new(connection, told, name, claimed)
            elif user in known or (user and claimed and not people.has_password(connection, user)):
                _regroup(connection, told, way, user, claimed)
        except (Closed, Taken) as error:
            left.append(f"{name}: {error}")
        if user in known and name in closed:
            people.drop_tokens(connection, user)
    return left


def _by_name(
    connection: Connection, told: SignIn, way: Way, name: str, claimed: Sequence[int]
) -> str:
    if not name:
        raise Closed(
            f"{way.title} vouches for no address of yours: sign in otherwise first, and connect "
            f"{way.title} on the page of your account"
        )
    _of_its_domains(way, name)
    user = people.known(connection, name)
    if user is None:
        return _new(connection, told, name, claimed)
    if people.has_password(connection, user):
        raise Closed(
            f"{user} has a password here: sign in with it, and connect {way.title} on the page of "
            "your account"
        )
    return user


def _of_its_domains(way: Way, name: str) -> None:
    if way.domains and name.rpartition("@")[2] not in way.domains:
        raise Closed(f"{way.title} does not speak for {name} here")


def _new(connection: Connection, told: SignIn, name: str, claimed: Sequence[int]) -> str:
    """A new person, with a number that nobody has or had."""
    if not signin.admits(told, name, claimed):
        raise Closed(f"{name} is not known here: ask an administrator to add you")
    one_at_a_time(connection)
    gone = identity_removed.c.identityName == name
    if connection.execute(select(identity_removed.c.uid).where(gone)).first():
        raise Closed(f"{name} was removed: ask an administrator")
    uid = _free(connection, signin.ranges(told, name, claimed))
    groups = signin.numbers(told, name, claimed)
    people.set_identity(connection, name, uid, next(iter(groups), uid), groups)
    return name


def _free(connection: Connection, ranges: Sequence[tuple[int, int]]) -> int:
    taken = {*connection.execute(select(identity.c.uid)).scalars(),
             *connection.execute(select(identity_removed.c.uid)).scalars()}  # fmt: skip
    for low, high in ranges:
        # Behind the last one, so that numbers tell the order; else in a gap.
        last = max((uid for uid in taken if low <= uid <= high), default=low - 1)
        if last < high:
            return last + 1
        if gap := next((uid for uid in range(low, high + 1) if uid not in taken), None):
            return gap
    raise Closed("no number is left for you: ask an administrator")


def one_at_a_time(connection: Connection) -> None:
    """Wait for others who look for a free number; whoever comes next sees what is done here."""
    row = select(leases.c.name).where(leases.c.name == "numbers").with_for_update()
    if connection.execute(row).first() is None:
        try:
            with connection.begin_nested():
                values = {"name": "numbers", "holder": "", "expires": 0}
                connection.execute(insert(leases).values(values))
        except IntegrityError:
            connection.execute(row).first()


def _regroup(
    connection: Connection, told: SignIn, way: Way, user: str, claimed: Sequence[int]
) -> None:
    """Groups that the provider decides about are as it says, but for those that a person is in by
    address; others stay."""
    found = people.identity_of(connection, user)
    old = people.numbers(found.groups)
    taken = {*way.groups.values()} - {*signin.numbers(told, user, ())}
    new = list(dict.fromkeys([*(one for one in old if one not in taken), *claimed]))
    if set(new) != set(old):
        people.set_identity(connection, user, found.uid, found.gid, new)
        people.record(connection, user, f"groups are {new}", user)
