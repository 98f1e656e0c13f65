from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from dlws.config import from_text
from dlws.core.errors import EndOfPlan, Refused
from dlws.nodes.node import Login, Node
from dlws.runs import plan as plans
from dlws.runs.console import Console
from dlws.runs.gate import Gate
from dlws.shell.files import File, difference
from tests.support.invocations import unrecorded
from tests.support.plans import CAT, plan_of
from tests.support.simulated import World


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
