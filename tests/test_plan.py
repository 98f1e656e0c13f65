"""Plans: what a dry run finds, and that applying one does that and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from dlws import plan as plans
from dlws.errors import Horizon, Refused, UsageError
from dlws.files import File, difference
from dlws.gate import Gate
from dlws.output import Console
from dlws.plan import Action, Plan, Unknown

CAT = plans.run("w1", "cat", "cat", b"in", False)


def plan_of(*actions: Action, unknown: tuple[Unknown, ...] = ()) -> Plan:
    return Plan(("x",), "/", "/", "c", "now", "0", "seed", list(actions), list(unknown))


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


def test_words_and_input_that_is_made_anew_make_no_difference() -> None:
    assert plans.run("w1", "other words", "cat", b"in", False).key == CAT.key
    first, second = (plans.run("w1", "t", "join", data, True, varies=True) for data in (b"1", b"2"))
    assert first.key == second.key


def test_a_file_is_the_same_with_content_mode_owner_and_what_it_replaces() -> None:
    file = File("/etc/x", b"a", 0o600)
    made = plans.write("w1", file, "- - -")
    assert made.key == plans.write("w1", File("/etc/x", b"a", 0o600), "- - -").key
    others = [replace(file, mode=0o644), replace(file, owner="a"), replace(file, content=b"b")]
    assert made.key not in {plans.write("w1", other, "- - -").key for other in others}
    assert made.key != plans.write("w1", file, f"{64 * '0'} 600 root:root").key


def test_parts_of_a_digest_do_not_run_into_each_other() -> None:
    assert plans.digest("ab", "c") != plans.digest("a", "bc")


def test_a_plan_comes_back_from_its_file(tmp_path: Path) -> None:
    made = plan_of(CAT, replace(CAT, details=("a", "b")), unknown=(Unknown("x", "y", ("n",)),))
    (tmp_path / "p").write_text(made.dump())
    assert plans.load(tmp_path / "p") == made


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"format": 1}', '{"format": 99}', "x"])
def test_what_is_no_plan_is_said_to_be_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "p").write_text(text)
    with pytest.raises(UsageError):
        plans.load(tmp_path / "p")


def test_differences_count_and_see_what_scripts_say() -> None:
    assert plans.differences(plan_of(CAT, CAT), plan_of(CAT, CAT)) == []
    assert plans.differences(plan_of(CAT, CAT), plan_of(CAT)) == ["no longer: w1: would run: cat"]
    assert plans.differences(plan_of(CAT), plan_of(CAT, CAT)) == ["new: w1: would run: cat"]
    assert plans.differences(plan_of(CAT), plan_of(replace(CAT, details=("more",))))
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


def test_scripts_that_find_nothing_are_no_change() -> None:
    idle = replace(CAT, details=plans.NOTHING)
    assert plans.summary(plan_of(idle)) == (
        "nothing would be changed; 1 run of scripts that would find nothing to do"
    )


def test_a_dry_run_lets_nothing_through_and_keeps_it() -> None:
    gate = Gate(Console(), dry_run=True)
    assert not gate.admit(CAT, plans.local("x"))
    assert gate.admit()
    assert gate.actions == [CAT, plans.local("x")]


def test_an_applied_plan_lets_each_change_through_once() -> None:
    gate = Gate(Console(), contract=plan_of(CAT, plans.local("x")))
    assert gate.admit(CAT)
    with pytest.raises(Refused, match="w1: not in the plan: run: cat"):
        gate.admit(CAT)
    with pytest.raises(Refused, match="here: not in the plan: y"):
        gate.admit(plans.local("y"))
    assert gate.admit(plans.local("x"))


def test_a_change_whose_content_was_not_known_is_let_through_once() -> None:
    draft = Gate(Console(), dry_run=True)
    draft.foresee([plans.Action("w1", "write", "write: /x", "/x")], "joined")
    (found,) = draft.actions
    assert found.text() == "may write: /x (content unknown until joined)"
    gate = Gate(Console(), contract=plan_of(found))
    assert gate.admit(plans.write("w1", File("/x", b"now known"), "- - -"))
    with pytest.raises(Refused):
        gate.admit(plans.write("w1", File("/x", b"now known"), "- - -"))
    with pytest.raises(Refused):
        gate.admit(plans.write("w2", File("/x", b"now known"), "- - -"))


def test_a_plan_ends_where_its_dry_run_ended() -> None:
    draft = Gate(Console(), dry_run=True)
    with pytest.raises(Horizon):
        draft.horizon("network", "init")
    gate = Gate(Console(), contract=plan_of(unknown=tuple(draft.unknown)))
    with pytest.raises(Horizon):
        gate.horizon("network", "init")
    gate.horizon("network", "something else")
    Gate(Console()).horizon("network", "init")


def test_secrets_are_not_in_a_plan() -> None:
    console = Console()
    console.hidden.add(["s3cret-value"])
    gate = Gate(console, dry_run=True)
    gate.admit(plans.run("w1", "echo s3cret-value", "echo s3cret-value", b"", False))
    assert "s3cret" not in plan_of(*gate.actions).dump()


STATE = f"{64 * 'a'} 644 root:root"


@pytest.mark.parametrize(("file", "state", "old", "said"), [
    (File("/x", b"b\n"), STATE, b"a\n",
     ("--- there now", "+++ /x", "@@ -1 +1 @@", "-a", "+b")),
    (File("/x", b"b\n"), "- - -", b"", ("--- not there", "+++ /x", "@@ -0,0 +1 @@", "+b")),
    (File("/x", b"b", 0o755), STATE, b"b", ("mode and owner: 644 root:root -> 755 root:root",)),
    (File("/x", b"b", 0o600), "- - -", b"", ("content not shown: mode 600",)),
    (File("/x", b"b"), f"{64 * 'a'} 640 root:root", b"a",
     ("mode and owner: 640 root:root -> 644 root:root", "content not shown: mode 640")),
    (File("/x", b"\xff"), STATE, b"a", ("content not shown: not text",)),
    (File("/x", 70000 * b"b"), STATE, b"a", ("content not shown: 70000 bytes",)),
])  # fmt: skip
def test_lines_that_differ(file: File, state: str, old: bytes, said: tuple[str, ...]) -> None:
    assert difference(file, state, old) == said


def test_the_format_is_json_with_a_number(tmp_path: Path) -> None:
    assert json.loads(plan_of(CAT).dump())["format"] == plans.FORMAT
