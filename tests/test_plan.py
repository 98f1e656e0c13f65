"""Plans: what a dry run finds, and that applying one does that and nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import reduce
from operator import getitem
from pathlib import Path
from random import Random

import pytest

from dlws.config import from_text
from dlws.core.errors import EndOfPlan, Refused, UsageError
from dlws.nodes.node import Login, Node
from dlws.runs import plan as plans
from dlws.runs.console import Console
from dlws.runs.gate import Gate
from dlws.runs.plan import Action, Plan, Unknown
from dlws.shell.files import File, difference
from tests.simulated import World
from tests.support.invocations import unrecorded

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


def test_a_dry_run_lets_nothing_through_and_keeps_it() -> None:
    gate = Gate(Console(), dry_run=True)
    assert not gate.admit(CAT, plans.local("x"))
    assert gate.admit()
    assert gate.actions == [CAT, plans.local("x")]


def test_a_file_that_is_written_again_is_kept_once_and_a_command_each_time() -> None:
    file = plans.write("w1", File("/x", b"1"), "- - -")
    other = plans.write("w1", File("/y", b"1"), "- - -")
    gate = Gate(Console(), dry_run=True)
    for action in (CAT, CAT, file, other, file):
        assert not gate.admit(action)
    assert gate.actions == [CAT, CAT, file, other]


@pytest.mark.parametrize("dry_run", [True, False])
def test_each_line_that_is_shown_names_its_node(
    dry_run: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Gate(Console(), dry_run).admit(replace(CAT, details=("a", "b")))
    lines = [] if not dry_run else ["w1: would run: cat"]
    assert capsys.readouterr().err.splitlines() == [*lines, "w1:   a", "w1:   b"]


def test_an_applied_plan_lets_each_change_through_once() -> None:
    gate = Gate(Console(), applied_plan=plan_of(CAT, plans.local("x")))
    assert gate.admit(CAT)
    with pytest.raises(Refused, match="w1: not in the plan: run: cat") as caught:
        gate.admit(CAT)
    assert "deploy.py plan" in caught.value.cure
    with pytest.raises(Refused, match="here: not in the plan: y"):
        gate.admit(plans.local("y"))
    assert gate.admit(plans.local("x"))


def test_a_change_whose_content_was_not_known_is_let_through_once() -> None:
    draft = Gate(Console(), dry_run=True)
    draft.announce([plans.Action("w1", "write", "write: /x", "/x")], "joined")
    (found,) = draft.actions
    assert found.text() == "may write: /x (content unknown until joined)"
    gate = Gate(Console(), applied_plan=plan_of(found))
    with pytest.raises(Refused):
        gate.admit(plans.write("w1", File("/y", b"another"), "- - -"))
    with pytest.raises(Refused):
        gate.admit(plans.run("w1", "/x", "/x", b"", False))
    assert gate.admit(plans.write("w1", File("/x", b"now known"), "- - -"))
    with pytest.raises(Refused):
        gate.admit(plans.write("w1", File("/x", b"now known"), "- - -"))
    with pytest.raises(Refused):
        gate.admit(plans.write("w2", File("/x", b"now known"), "- - -"))


def test_a_change_that_may_be_needed_and_is_known_is_let_through_as_it_is() -> None:
    draft = Gate(Console(), dry_run=True)
    known = plans.write("w1", File("/x", b"known"), "- - -")
    draft.announce([known], "joined")
    (found,) = draft.actions
    assert found.text() == "may write: /x (mode 644, 5 bytes)"
    gate = Gate(Console(), applied_plan=plan_of(found))
    with pytest.raises(Refused):
        gate.admit(plans.write("w1", File("/x", b"other"), "- - -"))
    assert gate.admit(known)


def test_a_plan_ends_where_its_dry_run_ended() -> None:
    draft = Gate(Console(), dry_run=True)
    with pytest.raises(EndOfPlan, match="network: unknown until init"):
        draft.end_plan_here("network", "init")
    gate = Gate(Console(), applied_plan=plan_of(unknown=tuple(draft.unknown)))
    with pytest.raises(EndOfPlan, match="network: unknown until init"):
        gate.end_plan_here("network", "init")
    gate.end_plan_here("network", "something else")
    Gate(Console()).end_plan_here("network", "init")


def test_secrets_are_not_in_a_plan() -> None:
    console = Console()
    console.redactor.add(["s3cret-value"])
    gate = Gate(console, dry_run=True)
    planned = plans.Planned(preview=("password: s3cret-value",))
    gate.admit(plans.run("w1", "echo s3cret-value", "echo s3cret-value", b"", False, planned))
    assert "password: " in plan_of(*gate.actions).dump()
    assert "s3cret" not in plan_of(*gate.actions).dump()


def test_contents_are_read_only_where_lines_are_wanted() -> None:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    for diff, questions in ((None, 1), (False, 1), (True, 2)):
        run = unrecorded(dry_run=True) if diff is None else unrecorded(dry_run=True, diff=diff)
        box = World({"10.0.0.1": "i1"}, Random(0), b"").boxes["10.0.0.1"]
        Node(config.machines["i1"], "10.0.0.1", box, Login(), run).put("a\n", "/x")
        assert box.questions == questions
        assert bool(run.gate.actions[0].details) == bool(diff)


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
    (File("/x", b"b", 0o711), "- - -", b"", ("content not shown: mode 711",)),
    (File("/x", 65537 * b"b"), STATE, b"a", ("content not shown: 65537 bytes",)),
    (File("/x", b"b"), STATE, 65537 * b"a", ("content not shown: 1 bytes",)),
    (File("/x", 65536 * b"b"), STATE, 65536 * b"a",
     ("--- there now", "+++ /x", "@@ -1 +1 @@", f"-{65536 * 'a'}", f"+{65536 * 'b'}")),
])  # fmt: skip
def test_lines_that_differ(file: File, state: str, old: bytes, said: tuple[str, ...]) -> None:
    assert difference(file, state, old) == said


def test_the_format_is_json_with_a_number(tmp_path: Path) -> None:
    assert json.loads(plan_of(CAT).dump())["format"] == plans.FORMAT
