"""Plans: what a dry run finds, and that applying one does that and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from operator import getitem
from pathlib import Path

import pytest

from dlws.core.errors import Refused, UsageError
from dlws.runs import plan as plans
from dlws.runs.console import Console
from dlws.runs.gate import Gate
from dlws.runs.plan import Action, Plan, Unknown
from dlws.shell.files import File
from tests.support.plans import CAT, plan_of


@pytest.mark.parametrize("other", [
    plans.run("w2", "cat", "cat", b"in", False),
    plans.run("w1", "cat", "cat -n", b"in", False),
    plans.run("w1", "cat", "cat", b"out", False),
    plans.run("w1", "cat", "cat", b"in", True),
    plans.write("w1", File("/cat", b"in"), "- - -"),
    plans.local("cat"),
])  # fmt: skip
def test_actions_that_do_other_things_are_not_the_same(other: Action) -> None:
    assert other.key != CAT.key


def test_a_plan_in_a_file_has_no_hash_that_a_password_could_be_tried_on(tmp_path: Path) -> None:
    action = plans.local("x", "password")
    made = Plan((), "", str(tmp_path), "", "", "", "", actions=[action])
    assert plans.seal(made) == made  # before `build` there is nothing to hide, and no place
    (tmp_path / "deploy").mkdir()
    sealed = plans.seal(made)
    assert action.digest not in sealed.dump() and sealed.sealed
    key = plans.key_file(tmp_path)
    assert key.stat().st_mode & 0o777 == 0o600 and len(key.read_bytes()) == 32
    assert plans.seal(made) == sealed
    assert Gate(Console(), applied_plan=sealed).admit(action)
    with pytest.raises(Refused, match="not in the plan"):
        Gate(Console(), applied_plan=sealed).admit(plans.local("x", "another"))
    assert plans.differences(sealed, plans.keyed(made, plans.key_of(sealed))) == []
    key.unlink()
    with pytest.raises(Refused, match="key is gone"):
        plans.key_of(sealed)


def test_words_and_input_that_is_made_anew_make_no_difference() -> None:
    assert plans.run("w1", "other words", "cat", b"in", False).key == CAT.key
    first, second = (
        plans.run("w1", "t", "join", data, True, plans.Planned(varies=True))
        for data in (b"1", b"2")
    )
    assert first.key == second.key


def test_a_file_is_the_same_with_content_mode_owner_and_what_it_replaces() -> None:
    file = File("/etc/x", b"a", 0o600)
    made = plans.write("w1", file, "- - -")
    assert made.key == plans.write("w1", File("/etc/x", b"a", 0o600), "- - -").key
    others = [replace(file, mode=0o644), replace(file, owner="a"), replace(file, content=b"b")]
    others.append(replace(file, path="/etc/y"))
    assert made.key not in {plans.write("w1", other, "- - -").key for other in others}
    assert made.key != plans.write("w1", file, f"{64 * '0'} 600 root:root").key


def test_a_patch_is_the_same_with_its_node_and_body() -> None:
    made = plans.patch("w1", "label w1 a=b", {"a": "b", "c": "d"})
    assert made.key == plans.patch("w1", "label", {"c": "d", "a": "b"}).key
    assert made.key != plans.patch("w2", "label w1 a=b", {"a": "b", "c": "d"}).key
    assert made.key != plans.patch("w1", "label w1 a=b", {"a": "b", "c": "e"}).key


def test_a_change_of_this_machine_is_the_same_with_its_content() -> None:
    assert plans.local("write x", "1").key == plans.local("write x", b"1").key
    assert plans.local("write x", "1").key != plans.local("write x", "2").key
    assert plans.local("write x", "1").key != plans.local("write y", "1").key


def test_parts_of_a_digest_do_not_run_into_each_other() -> None:
    assert plans.digest("ab", "c") != plans.digest("a", "bc")


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    made = plan_of(CAT, replace(CAT, details=("a", "b")), unknown=(Unknown("x", "y", ("n",)),))
    (tmp_path / "p").write_text(made.dump())
    assert plans.load(tmp_path / "p") == made


def test_the_file_of_a_plan_says_of_each_change_where_what_and_why() -> None:
    details = ("a line",)
    made = plan_of(
        plans.run("w1", "do", "x", b"", False, plans.Planned(preview=details)),
        plans.write("w1", File("/x", b"abc", 0o600), "- - -", details),
        plans.patch("w1", "label w1 a=b", {}),
        plans.local("make y"),
    )
    found = json.loads(made.dump())["actions"]
    shown = [(a["node"], a["kind"], a["words"], a["place"], a["details"]) for a in found]
    assert shown == [
        ("w1", "run", "run: do", "do", ["a line"]),
        ("w1", "write", "write: /x (mode 600, 3 bytes)", "/x", ["a line"]),
        ("w1", "patch", "label w1 a=b", "label w1 a=b", []),
        ("", "local", "make y", "make y", []),
    ]


@pytest.mark.parametrize("name", [*Plan.__dataclass_fields__, *Action.__dataclass_fields__])
@pytest.mark.parametrize("value", [None, 5, {"a": 1}, [5]])
def test_a_plan_with_a_field_of_another_type_is_none(
    tmp_path: Path, name: str, value: object
) -> None:
    made = plan_of(plans.run("w1", "do", "x", b"", False))
    made.unknown.append(Unknown("join", "init is done", ("w1",)))
    for where in ((), ("actions", 0), ("unknown", 0)):
        data = json.loads(made.dump())
        part = reduce(getitem, where, data)
        if name in part:
            part[name] = value
            (tmp_path / "p").write_text(json.dumps(data))
            with pytest.raises(UsageError, match="is not a plan"):
                plans.load(tmp_path / "p")


@pytest.mark.parametrize(
    ("text", "said"),
    [(text, "p is not a plan") for text in ("", "[]", "{}", "null", '{"format": 1}', "x")]
    + [('{"format": 99}', "p is of another version"), (None, "p: No such file")],
)
def test_what_is_no_plan_is_said_to_be_none(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "p").write_text(text)
    with pytest.raises(UsageError, match=f"^{tmp_path}/{said}") as caught:
        plans.load(tmp_path / "p")
    assert "plan" in caught.value.cure


def test_differences_count_and_see_what_scripts_say() -> None:
    assert plans.differences(plan_of(CAT, CAT), plan_of(CAT, CAT)) == []
    assert plans.differences(plan_of(CAT, CAT), plan_of(CAT)) == ["no longer: w1: would run: cat"]
    assert plans.differences(plan_of(CAT), plan_of(CAT, CAT)) == ["new: w1: would run: cat"]
    assert plans.differences(plan_of(), plan_of(plans.local("x"))) == ["new: here: would x"]
    says = plans.run("w1", "cat", "cat", b"in", False, plans.Planned(preview=("more",)))
    assert plans.differences(plan_of(CAT), plan_of(says))
    assert plans.differences(plan_of(CAT, unknown=(Unknown("a", "b"),)), plan_of(CAT))


def test_equal_changes_of_many_nodes_are_a_line() -> None:
    actions = [plans.run(f"w{n}", "do", "x", b"", False) for n in range(1, 4)]
    found = plans.table(plan_of(*actions, plans.local("write it"), unknown=(Unknown("a", "b"),)))
    assert found.splitlines() == [
        "w[1-3]: would run: do",
        "here: would write it",
        "a: unknown until b",
        "4 changes on 3 nodes",
    ]


def test_lines_of_a_change_stand_below_it() -> None:
    changes = [replace(CAT, node=node, details=("-a", "+b")) for node in ("w1", "w2")]
    assert plans.table(plan_of(*changes)).splitlines() == [
        "w[1-2]: would run: cat",
        "    -a",
        "    +b",
        "2 changes on 2 nodes",
    ]


def test_what_is_unknown_for_some_nodes_names_them() -> None:
    assert Unknown("labels", "join", ("w1", "w2")).text() == "labels on w[1-2]: unknown until join"


def test_scripts_that_find_nothing_are_no_change() -> None:
    idle = replace(CAT, details=plans.NOTHING)
    assert plans.summary(plan_of(idle)) == (
        "nothing would be changed; 1 run of scripts that would find nothing to do"
    )


def test_secrets_are_not_in_a_plan() -> None:
    console = Console()
    console.redactor.add(["s3cret-value"])
    gate = Gate(console, dry_run=True)
    planned = plans.Planned(preview=("password: s3cret-value",))
    gate.admit(plans.run("w1", "echo s3cret-value", "echo s3cret-value", b"", False, planned))
    assert "password: " in plan_of(*gate.actions).dump()
    assert "s3cret" not in plan_of(*gate.actions).dump()


def test_the_format_is_json_with_a_number(tmp_path: Path) -> None:
    assert json.loads(plan_of(CAT).dump())["format"] == plans.FORMAT
