from __future__ import annotations

from dataclasses import replace

import pytest

from dlws.core.errors import EndOfPlan, Refused
from dlws.runs import plan as plans
from dlws.runs.console import Console
from dlws.runs.gate import Gate
from dlws.shell.files import File
from tests.support.plans import CAT, plan_of


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
