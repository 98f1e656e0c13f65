"""Which ids users get, from the groups of config.yaml and from who there is and was."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import Config
from dlws.core.errors import UsageError
from dlws.database.users import (
    Known,
    User,
    UserRequest,
    additions,
    administrators,
    belongs,
    group_id,
    planned,
)
from tests.support.fakes import CONFIG, config_of

GROUPS = """
UserGroups:
  Admins: {Allowed: [a@x.org, b@x.org, "@boss.org"], uid: "20000", gid: "20001"}
  All: {Allowed: ["@x.org"], uid: 20001-20002, gid: "20005"}
WebUIadminGroups: [Admins, Missing]
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return config_of(tmp_path, CONFIG + GROUPS)


def test_the_first_group_with_room_gives_the_uid(config: Config) -> None:
    people = Known()
    names = ["a@x.org", "b@x.org", "c@x.org", "d@x.org", "e@y.org"]
    additions(config, people, names)
    found = {user.name: (user.uid, user.gid, user.groups) for user in people.users.values()}
    assert found == {
        "a@x.org": (20000, 20001, (20001, 20005)),
        "b@x.org": (20001, 20001, (20001, 20005)),
        "c@x.org": (20002, 20005, (20005,)),
        "d@x.org": (30001, 20005, (20005,)),
        "e@y.org": (30002, 30002, ()),
    }


def test_a_gap_is_used_before_a_range_is_full(config: Config) -> None:
    people = Known({"z": User("z", 20002, 1000)})
    assert planned(config, people, "q@x.org", UserRequest()).uid == 20001


def test_ids_of_removed_users_are_theirs(config: Config) -> None:
    people = Known(removed={"old": User("old", 30001, 7000)})
    assert planned(config, people, "new", UserRequest()).uid == 30002
    back = planned(config, people, "old", UserRequest())
    assert (back.uid, back.gid) == (30001, 7000)
    words = [change.words for change in additions(config, people, ["old"])]
    assert words == ["add the user old (uid 30001, gid 7000)", "give old the ids of before"]


@pytest.mark.parametrize("uid", [30001, 999, 999999999, 5000])
def test_a_uid_that_cannot_be_is_refused(config: Config, uid: int) -> None:
    people = Known({"a": User("a", 30001, 1)}, {"b": User("b", 5000, 1)})
    with pytest.raises(UsageError, match=str(uid)):
        planned(config, people, "c", UserRequest(uid=uid))
    assert planned(config, people, "c", UserRequest(uid=5001)).uid == 5001


def test_a_uid_does_not_change(config: Config) -> None:
    people = Known({"a": User("a", 30001, 1)})
    with pytest.raises(UsageError, match="has the uid 30001"):
        planned(config, people, "a", UserRequest(uid=30005))
    (change,) = additions(config, people, ["a"], UserRequest(uid=30001, gid=2))
    assert change.sql.startswith("UPDATE identity")
    assert additions(config, people, ["a"], UserRequest()) == []


def test_administrators_are_people_not_domains(config: Config) -> None:
    assert administrators(config) == ["a@x.org", "b@x.org"]


def test_addresses_belong_by_name_or_domain(config: Config) -> None:
    admins = config.user_groups["Admins"]
    assert [belongs(name, admins) for name in ("A@x.org", "q@BOSS.org", "q@x.org")] == [
        True, True, False,
    ]  # fmt: skip


def test_groups_are_numbers_or_of_the_configuration(config: Config) -> None:
    assert (group_id(config, "7"), group_id(config, "All")) == (7, 20005)
    with pytest.raises(UsageError, match="Nobody"):
        group_id(config, "Nobody")
