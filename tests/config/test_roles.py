"""Roles: what a machine is by them, and the words that mean them."""

from __future__ import annotations

import pytest

from dlws.config import from_text
from dlws.config.model.roles import words_for


@pytest.mark.parametrize(
    ("role", "infra", "worker", "member"),
    [
        ("infra", True, False, True),
        ("worker", False, True, True),
        ("[worker, master]", True, True, True),
        ("nfs", False, False, False),
        ("[nfs, worker]", False, True, True),
    ],
)
def test_a_machine_knows_what_it_is(role: str, infra: bool, worker: bool, member: bool) -> None:
    three = "a: {role: infra}, b: {role: infra}, c: {role: infra}"
    others = three.replace(", c: {role: infra}", "") if infra else three
    config = from_text(f"cluster_name: c\nmachines: {{{others}, m: {{role: {role}}}}}\n")
    machine = config.machines["m"]
    assert (machine.is_infra, machine.is_worker, machine.in_cluster) == (infra, worker, member)
    assert ("m" in [one.name for one in config.with_role("worker")]) == worker


def test_infrastructure_has_synonyms() -> None:
    assert words_for("infrastructure") == ("infrastructure", "infra", "master")
    assert words_for("nfs") == ("nfs",)
