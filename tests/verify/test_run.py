"""Putting nodes right without being asked what to print."""

from __future__ import annotations

from typing import Any

import pytest

from dlws.core.errors import CheckFailed
from dlws.nodes.outcomes import Outcome
from dlws.verify import run
from dlws.verify.report import Finding, Verdict
from tests.support.fakes import Make
from tests.support.judge import session

LEFT = Finding("worker01", "device", "nvidia.com/gpu", "offers 0 of 2", "", "")
SHARE = Finding("worker01", "role", "mounts", "/x is missing", "", "", fix="role:mounts")
FILE = Finding("worker01", "file", "/etc/x", "is missing", "", "", fix="tools")


def healed(
    make: Make, monkeypatch: pytest.MonkeyPatch, *rounds: list[Finding], **options: Any
) -> list[list[Finding]]:
    """What was mended while the rounds of looking found this."""
    world, seen, mended = make(**options), list(rounds), list[list[Finding]]()

    def look(*_: object) -> list[Outcome[Verdict]]:
        node = world.cluster.nodes[0]
        return [Outcome(node, Verdict("worker01", findings=tuple(seen.pop(0))))]

    monkeypatch.setattr(run, "look", look)
    monkeypatch.setattr(run, "mended", lambda session, found: mended.append(list(found)))
    run.heal(session(world), world.cluster.nodes)
    assert seen == []
    return mended


def test_what_can_be_put_right_is_and_the_rest_is_left(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert healed(make, monkeypatch, [FILE, SHARE, LEFT], [SHARE, LEFT]) == [[FILE]]
    assert healed(make, monkeypatch, [LEFT]) == [[]]


def test_what_was_put_right_in_vain_is_an_error(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CheckFailed, match="worker01: /etc/x"):
        healed(make, monkeypatch, [FILE], [FILE])


def test_a_dry_run_looks_once(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    assert healed(make, monkeypatch, [FILE], dry_run=True) == [[FILE]]
