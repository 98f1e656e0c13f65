"""Permissions: who may do what, on the whole cluster or in one virtual cluster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.database.client import Change, Database
from dlws.database.names import checked
from dlws.database.users import Known

# Each has the bits of those before it.
PERMISSIONS = {"user": 1, "collaborator": 3, "admin": 7}
CLUSTER = "Cluster"
SYSTEM = ("Administrator", 999999999)
"""Who the REST API itself is, and the id that is nobody's."""


@dataclass(frozen=True)
class Right:
    """A row of the table acl."""

    name: str
    identity: int
    resource: str
    bits: int
    denied: bool = False

    @property
    def permission(self) -> str:
        names = {bits: name for name, bits in PERMISSIONS.items()}
        return names.get(self.bits, str(self.bits))


Rights = Mapping[tuple[str, str], Right]
"""By name and resource."""


def resource(vc: str) -> str:
    """How the table calls a virtual cluster, or (without one) all of the cluster."""
    return f"{CLUSTER}/VC:{vc}" if vc else CLUSTER


def known(database: Database) -> Rights:
    rows = database.rows(
        "SELECT identityName, identityId, resource, permissions, isDeny FROM acl"
        " ORDER BY resource, identityName"
    )
    found = [Right(row["identityName"], row["identityId"], row["resource"], row["permissions"],
                   bool(row["isDeny"])) for row in rows]  # fmt: skip
    return {(right.name, right.resource): right for right in found}


def of(rights: Rights, name: str) -> dict[str, str]:
    """The permissions of a user or group, by resource."""
    return {right.resource: right.permission for right in rights.values() if right.name == name}


def grants(rights: Rights, wanted: Iterable[Right]) -> list[Change]:
    """What makes these rights be. A right that is there is changed where it differs."""
    changes = []
    for right in wanted:
        old = rights.get((right.name, right.resource))
        words = f"let {right.name} be {right.permission} of {right.resource}"
        if old is None:
            changes.append(Change(
                words,
                "INSERT INTO acl (identityName, identityId, resource, permissions, isDeny)"
                " VALUES (%s, %s, %s, %s, 0)",
                (right.name, right.identity, right.resource, right.bits),
            ))  # fmt: skip
        elif old != right:
            changes.append(Change(
                words,
                "UPDATE acl SET identityId = %s, permissions = %s, isDeny = 0"
                " WHERE identityName = %s AND resource = %s",
                (right.identity, right.bits, right.name, right.resource),
            ))  # fmt: skip
    return changes


def wished(people: Known, groups: Mapping[str, int], names: Iterable[str], place: str,
           permission: str) -> list[Right]:  # fmt: skip
    """The rights that a person asks for, of users and of groups (name → gid)."""
    return [Right(name, _identity(people, groups, name), place, PERMISSIONS[permission])
            for name in dict.fromkeys(names)]  # fmt: skip


def _identity(people: Known, groups: Mapping[str, int], name: str) -> int:
    checked("user", name)
    if name in people.users:
        return people.users[name].uid
    if name in groups:
        return groups[name]
    raise UsageError(
        f"there is no user {name!r}, nor a group in UserGroups with a gid",
        f"add the user first: {PROGRAM} user add",
    )


def first(people: Known, rights: Rights, administrators: Sequence[str]) -> list[Change]:
    """The rights that a cluster begins with; of a right that is there nothing is changed."""
    everything = PERMISSIONS["admin"]
    wanted = [Right(*SYSTEM, CLUSTER, everything)]
    wanted += [Right(name, people.users[name].uid, CLUSTER, everything) for name in administrators]
    return grants(rights, [one for one in wanted if (one.name, one.resource) not in rights])


def removals(rights: Rights, names: Iterable[str], place: str) -> list[Change]:
    """What takes rights away; `place` is a resource."""
    return [
        Change(f"take {place} from {name}",
               "DELETE FROM acl WHERE identityName = %s AND resource = %s", (name, place))
        for name in dict.fromkeys(names)
        if (name, place) in rights
    ]  # fmt: skip
