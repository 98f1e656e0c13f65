"""Rights: bits of permission on `Cluster` and `Cluster/VC:NAME`, inherited downwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

USER: Final = 1
COLLABORATOR: Final = 3
ADMIN: Final = 7
CLUSTER: Final = "Cluster"

_GROUPS_BELOW = 900000000
"""An identityId from here on is no group's number."""


@dataclass(frozen=True)
class Entry:
    """A row of the access list."""

    name: str
    number: int
    resource: str
    permissions: int
    deny: bool = False


@dataclass(frozen=True)
class Caller:
    """Who asks, with the entries that concern that person."""

    name: str
    entries: tuple[Entry, ...] = ()
    numbered: bool = False
    """Whether there is a uid under which this person's jobs can run."""

    def may(self, wanted: int, resource: str) -> bool:
        """Whether all wanted bits are given on the resource or above it, and none is denied."""
        given = denied = 0
        for entry in self.entries:
            if entry.resource in {resource, CLUSTER}:
                if entry.deny:
                    denied |= entry.permissions
                else:
                    given |= entry.permissions
        return not wanted & ~(given & ~denied)

    @property
    def administers(self) -> bool:
        return self.may(ADMIN, CLUSTER)


def vc(name: str) -> str:
    """The resource of a virtual cluster."""
    return f"{CLUSTER}/VC:{name}"


def caller(
    name: str, groups: Iterable[int], entries: Iterable[Entry], numbered: bool = False
) -> Caller:
    """The caller with the entries of that name and of the person's groups."""
    numbers = {number for number in groups if 0 < number < _GROUPS_BELOW}
    mine = (entry for entry in entries if entry.name == name or entry.number in numbers)
    return Caller(name, tuple(mine), numbered)
