"""Roles as things that verify looks after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError
from dlws.roles import apply
from dlws.roles.carry import Carriers
from dlws.storage import stages
from dlws.verify import collect, fix
from dlws.verify.compare import compare, expected
from dlws.verify.report import Finding
from dlws.verify.things import ClusterFacts, Comparison, Difference
from tests.support.fakes import CONFIG, World
from tests.support.judge import session


@pytest.fixture
def world(make: Callable[..., World], tmp_path: Path) -> World:
    for name, yaml in (("toy", "on: [worker]\nneeds: [base]\n"), ("base", "")):
        folder = tmp_path / "templates/nodes" / name
        folder.mkdir(parents=True)
        (folder / "role.yaml").write_text(yaml)
    return make(CONFIG)


def test_roles_that_a_node_carries_are_asked_for_what_differs(world: World) -> None:
    known, (infra, node, _) = ClusterFacts(carriers=Carriers(world.cluster)), world.cluster.nodes
    assert not [one for one in expected(world.cluster, infra, known) if one.kind == "role"]
    things = [one for one in expected(world.cluster, node, known) if one.kind == "role"]
    assert [(one.what, one.fix) for one in things] == [("base", "role:base"), ("toy", "role:toy")]
    questions = collect.questions(world.cluster, node, known, things)
    asked = [question for question in questions if question.name.startswith("role ")]
    assert [one.name for one in asked] == ["role base", "role toy"]
    assert "role-toy/toy.sh" in asked[1].members and "lib/roles.sh" in asked[1].members

    said = Result(5, b"differs: file\t/etc/x\tis missing\ndiffers: state\ty\tno; cure: do\n")
    seen = Comparison(world.cluster, node, known, {"role base": Result(0), "role toy": said})
    origin, by = things[1].origin, ("role", "toy")
    assert compare(things, seen) == [
        Difference("file", "/etc/x", "is missing", origin, "role:toy", "", by),
        Difference("state", "y", "no", origin, "role:toy", "do", by),
    ]
    broken = Comparison(world.cluster, node, known, {**seen.answers, "role toy": Result(2)})
    with pytest.raises(DeployError, match="the role toy cannot check this node"):
        compare(things, broken)


def test_roles_are_mended_last_those_that_others_need_first() -> None:
    places = [Finding("n", "file", "x", "w", "p", "k", name) for name in ("role:b", "role:a")]
    unit = Finding("n", "unit", "x", "w", "p", "k", "unit:x")
    assert list(fix.plan([*places, unit])) == ["unit:x", "role:b", "role:a"]


def test_volumes_are_made_behind_the_role_that_serves_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(apply, "bring", lambda *words: done.append(words[2][0].name))
    monkeypatch.setattr(stages, "serve_volumes", lambda _: done.append("volumes"))
    for name in ("toy", "glusterfs-server", "mounts"):
        fix.apply(session(world), f"role:{name}", ["worker01"])
    assert done == ["toy", "glusterfs-server", "volumes", "mounts"]
