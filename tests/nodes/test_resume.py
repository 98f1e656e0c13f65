"""Whether a run can be carried on, and what its nodes are asked before."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from dlws.config import from_text
from dlws.core.connection import Result
from dlws.core.errors import Refused, UsageError
from dlws.nodes import resume
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import Login, Node
from dlws.runs.journal import Journal, config_hash
from dlws.secrets.redaction import Redactor
from dlws.shell import recorder
from dlws.shell.files import File
from tests.support.fakes import Fake
from tests.support.invocations import unrecorded
from tests.support.private import Inside, possible
from tests.support.waiting import wait_until

OPERATIONS = [f"{number:024x}" for number in range(10, 16)]


def wrote(place: Path, outcome: str = "failed", days: float = 0, **changes: Any) -> None:
    """The record of a run under `place`, a cluster's directory."""
    (place / "config.yaml").write_text("x")
    began = (datetime.now(timezone.utc) - timedelta(days=days)).isoformat()
    first = {"kind": "run", "time": began, "id": "run-1", "argv": ["./deploy.py", "up"]}
    first |= {"command": "up", "cwd": "/", "config": config_hash(place), **changes}
    rows = [first, {"kind": "end", "time": began, "outcome": outcome}]
    (place / "deploy/runs/run-1").mkdir(parents=True)
    text = "".join(f"{json.dumps(row)}\n" for row in rows)
    (place / "deploy/runs/run-1/journal.jsonl").write_text(text)


def test_the_run_that_is_named_is_carried_on(tmp_path: Path) -> None:
    wrote(tmp_path)
    (tmp_path / "deploy/runs/run-1").rename(tmp_path / "deploy/runs/2")
    wrote(tmp_path)
    assert resume.resumable(tmp_path, "2", False).id == "2"
    with pytest.raises(UsageError, match="there is no run 3"):
        resume.resumable(tmp_path, "3", False)


def resumable(place: Path, force: bool = False) -> str:
    return resume.resumable(place, "run", force).id


@pytest.mark.parametrize("force", [False, True])
def test_a_run_that_failed_can_be_carried_on(tmp_path: Path, force: bool) -> None:
    wrote(tmp_path)
    assert resumable(tmp_path, force) == "run-1"


@pytest.mark.parametrize("force", [False, True])
def test_a_run_that_is_over_cannot(tmp_path: Path, force: bool) -> None:
    wrote(tmp_path, "ok")
    with pytest.raises(UsageError, match="nothing to resume"):
        resumable(tmp_path, force)


@pytest.mark.parametrize("command", ["execonall", "doonall"])
def test_a_command_of_ones_own_cannot(tmp_path: Path, command: str) -> None:
    wrote(tmp_path, command=command, argv=["./deploy.py", command, "x"])
    with pytest.raises(UsageError, match=f"^{command} is not resumed: ") as caught:
        resumable(tmp_path, force=True)
    assert f"./deploy.py --retry-failed {command} x" in caught.value.cure


def test_a_changed_configuration_is_refused_unless_forced(tmp_path: Path) -> None:
    wrote(tmp_path)
    (tmp_path / "config.yaml").write_text("y")
    with pytest.raises(Refused, match=r"config\.yaml has changed since run-1") as caught:
        resumable(tmp_path)
    assert "deploy.py --force resume" in caught.value.cure
    assert resumable(tmp_path, force=True) == "run-1"


def test_a_run_from_before_there_was_a_configuration_can_be_carried_on(tmp_path: Path) -> None:
    wrote(tmp_path, config="")
    assert resumable(tmp_path) == "run-1"


def test_a_run_that_nodes_have_forgotten_is_refused_unless_forced(tmp_path: Path) -> None:
    wrote(tmp_path, days=recorder.KEPT_DAYS + 0.1)
    with pytest.raises(Refused, match="run-1 began more than 7 days ago") as caught:
        resumable(tmp_path)
    assert "deploy.py --force resume" in caught.value.cure
    assert resumable(tmp_path, force=True) == "run-1"


def test_a_run_of_a_week_can_be_carried_on(tmp_path: Path) -> None:
    wrote(tmp_path, days=recorder.KEPT_DAYS - 0.1)
    assert resumable(tmp_path) == "run-1"


class World:
    def __init__(self, place: Path) -> None:
        text = "cluster_name: t\nmachines:\n" + "".join(
            f"  i{n}: {{role: infra, private-ip: 10.0.0.{n}}}\n" for n in (1, 2, 3)
        )
        config, run = from_text(text), unrecorded()
        self.boxes = {name: Inside(place / name) for name in config.machines}
        nodes = [
            Node(machine, str(machine.private_ip), self.boxes[name], Login(), run)
            for name, machine in config.machines.items()
        ]
        self.cluster = Cluster(config, nodes, run)
        self.journal = Journal(place / "run", "run", Redactor())

    def leave(self, node: str, operation: str, code: int | None, root: bool = True) -> None:
        """What an earlier part of the run began on a node, and what the node knows of it."""
        self.journal.in_flight.append(
            {"node": node, "operation": operation, "title": f"do {operation[-1]}", "root": root}
        )
        if code is not None:
            kept = self.boxes[node].state / "ops" / operation
            kept.mkdir(parents=True)
            (kept / "exit").write_text(f"{code}\n")

    def settled(self) -> list[tuple[str, str, object, str]]:
        resume.reconcile(self.cluster, self.journal)
        text = (self.journal.directory / "journal.jsonl").read_text()
        rows = [row for row in map(json.loads, text.splitlines()) if row["kind"] == "settled"]
        assert all(row["title"] == f"do {row['operation'][-1]}" for row in rows)
        return sorted((r["node"], r["operation"][-1], r["code"], r["how"]) for r in rows)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    if not possible():
        pytest.skip("a /var/lib/dlws of its own takes root")
    made = World(tmp_path)
    yield made
    made.journal.close("ok")


def test_each_node_is_asked_once_for_what_was_under_way_there(world: World) -> None:
    world.leave("i1", OPERATIONS[0], 0)
    world.leave("i1", OPERATIONS[1], 3)
    world.leave("i2", OPERATIONS[2], None)
    assert world.settled() == [
        ("i1", "a", 0, "ended"),
        ("i1", "b", 3, "ended"),
        ("i2", "c", None, "never"),
    ]
    assert [box.users for box in world.boxes.values()] == [["root"], ["root"], []]


def test_what_is_waited_for_is_said(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.leave("i1", OPERATIONS[0], 0)
    kept = world.boxes["i1"].state / "ops" / OPERATIONS[0]
    (kept / "exit").unlink()
    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (kept / "pid").write_text(f"{os.getpid()} {start} {boot}\n")
    thread = threading.Thread(target=resume.reconcile, args=(world.cluster, world.journal))
    thread.start()
    wait_until(lambda: "i1: waiting for what still runs: do a" in capsys.readouterr().err)
    (kept / "exit").write_text("0\n")
    thread.join()
    assert world.settled()[0] == ("i1", "a", 0, "ended")


def test_an_answer_about_other_commands_settles_nothing(world: World) -> None:
    world.leave("i1", OPERATIONS[0], 0)
    settled = f"{OPERATIONS[0]} 0\n{OPERATIONS[5]} 0\n".encode()
    said = Fake(rules=[lambda *_: Result(0, settled)])
    world.cluster.nodes[0].connection = said
    assert world.settled() == []
    assert len(said.asked) == 1


def test_a_node_says_of_nothing_but_what_was_asked_for_that_it_runs(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    said = resume._waiting(world.cluster.nodes[0], {OPERATIONS[0]: "do a"})
    said("out", f"{OPERATIONS[0]} runs\n{OPERATIONS[0]} runs\nthe end is near runs\n".encode())
    said("out", b"x" * 100_000)
    said("out", f"\n{OPERATIONS[1]} runs\n".encode())
    assert capsys.readouterr().err == "i1: waiting for what still runs: do a\n"


def test_each_users_operations_are_asked_for_by_that_user(world: World) -> None:
    world.leave("i1", OPERATIONS[0], 0, root=True)
    world.leave("i1", OPERATIONS[1], 4, root=False)
    world.leave("i2", OPERATIONS[2], 5, root=False)
    found = [("i1", "a", 0, "ended"), ("i1", "b", 4, "ended"), ("i2", "c", 5, "ended")]
    assert world.settled() == found
    assert world.boxes["i2"].users == ["user"]
    assert world.boxes["i1"].users == ["root", "user"]


def test_of_an_older_record_root_is_asked(world: World) -> None:
    world.leave("i1", OPERATIONS[0], 0)
    del world.journal.in_flight[0]["root"]
    assert world.settled() == [("i1", "a", 0, "ended")]
    assert world.boxes["i1"].users == ["root"]


def test_nodes_are_due_what_follows_from_their_files(world: World) -> None:
    file = File("/x", b"1")
    world.journal.placed["i2"] = {("/x", file.sha256)}
    resume.reconcile(world.cluster, world.journal)
    assert {n.name: set(n._begun) for n in world.cluster.nodes} == {
        "i1": set(), "i2": {("/x", file.sha256)}, "i3": set(),
    }  # fmt: skip


def test_what_still_runs_is_said_to_be_waited_for(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    hear = resume._waiting(world.cluster.nodes[0], {"a": "do it"})
    for name, data in (
        ("out", b"a ru"), ("err", b"x runs\n"), ("out", b"ns\nb runs\n"), ("out", b"a 0\nc ru"),
    ):  # fmt: skip
        hear(name, data)
    assert [line.split(": ", 1)[1] for line in capsys.readouterr().err.splitlines()] == [
        "waiting for what still runs: do it",
    ]
