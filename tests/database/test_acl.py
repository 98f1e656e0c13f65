"""Permissions by name, and the changes that lead to them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dlws.core.errors import UsageError
from dlws.database import acl
from dlws.database.acl import Right
from dlws.database.users import Known, User

PEOPLE = Known({"ann": User("ann", 30001, 1)})
ANN = Right("ann", 30001, "Cluster", 3)
HAS = {("ann", "Cluster"): ANN}


def test_permissions_hold_those_below_them() -> None:
    bits = list(acl.PERMISSIONS.values())
    assert all(low & ~high == 0 for low, high in pairwise(bits))
    assert [Right("a", 1, "Cluster", bit).permission for bit in (0, 1, 3, 7)] == [
        "0", "user", "collaborator", "admin",
    ]  # fmt: skip


def test_users_and_groups_are_known_by_their_ids() -> None:
    wanted = acl.wished(PEOPLE, {"Admins": 20001}, ["ann", "Admins"], "Cluster", "admin")
    assert wanted == [Right("ann", 30001, "Cluster", 7), Right("Admins", 20001, "Cluster", 7)]
    with pytest.raises(UsageError, match="there is no user 'bob'"):
        acl.wished(PEOPLE, {}, ["bob"], "Cluster", "user")


def test_a_right_that_differs_alone_is_changed() -> None:
    assert acl.grants(HAS, [ANN]) == []
    (change,) = acl.grants(HAS, [Right("ann", 30001, "Cluster", 7)])
    assert change.words == "let ann be admin of Cluster"
    assert change.sql.startswith("UPDATE") and change.parameters[1] == 7
    (change,) = acl.grants(HAS, [Right("ann", 30001, acl.resource("v"), 1)])
    assert change.sql.startswith("INSERT") and "Cluster/VC:v" in change.parameters


def test_what_an_administrator_set_is_not_reset_by_init() -> None:
    words = [change.words for change in acl.first(PEOPLE, HAS, ["ann"])]
    assert words == ["let Administrator be admin of Cluster"]


def test_rights_that_are_not_there_need_no_removal() -> None:
    (change,) = acl.removals(HAS, ["ann", "bob"], "Cluster")
    assert change.parameters == ("ann", "Cluster")
    assert acl.removals(HAS, ["ann"], "Cluster/VC:v") == []
