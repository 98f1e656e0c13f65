"""The lock on the first infra node within one process: what is told of it, and who holds it."""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dlws.core.connection import Halt
from dlws.core.errors import DeployError, Refused
from dlws.nodes import nodelock
from dlws.nodes.node import Node
from dlws.nodes.nodelock import Guard
from dlws.runs.options import Options
from tests.support.invocations import unrecorded
from tests.support.locks import who
from tests.support.private import Fresh, Inside, possible
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not possible(), reason="a /var/lib/dlws of its own takes root")


class World:
    """One node, and runs from devboxes' directories that want its lock."""

    def __init__(self, node: Node, place: Path) -> None:
        self.node, self.place = node, place
        self.connection = Inside(place / "state")
        node.connection = self.connection
        self.lock = place / "state/lock"
        self.guards: list[Guard] = []

    def guard(self, name: str, closed: list[str] | None = None) -> tuple[Guard, Halt]:
        directory = self.place / name
        (directory / "deploy").mkdir(parents=True, exist_ok=True)
        noted = closed if closed is not None else []
        run = unrecorded(self.node._console, directory=directory, command="up")
        close = lambda: noted.append(name)  # noqa: E731
        self.guards.append(Guard(self.node, run, close))
        return self.guards[-1], run.halt

    def held(self) -> dict[str, object]:
        return dict(json.loads(self.lock.read_text().splitlines()[0]))


@pytest.fixture
def world(node: Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(nodelock, "BEAT", 0.05)
    monkeypatch.setattr(nodelock, "_POLL", 0.05)
    made = World(node, tmp_path)
    yield made
    made.connection.gone = made.connection.lost = False
    for guard in made.guards:
        guard.release()
        if guard._thread:
            guard._thread.join()


def take(guard: Guard, run: str = "run-1", seconds: float = 0) -> None:
    guard.take(run, time.monotonic() + seconds)


def test_a_run_holds_the_lock_from_its_first_change_to_its_end(world: World) -> None:
    guard, halt = world.guard("here")
    take(guard)
    held = world.held()
    assert (held["run"], held["command"], held["pid"]) == ("run-1", "up", os.getpid())
    assert world.lock.stat().st_mode & 0o777 == 0o600
    take(guard, "again")
    assert world.held() == held
    guard.release()
    assert not world.lock.exists()
    guard.release()
    assert halt.refusal is None


def test_another_directory_is_refused_and_waits_where_it_may(world: World) -> None:
    (first, _), (second, _) = world.guard("here"), world.guard("there")
    take(first)
    with pytest.raises(Refused) as caught:
        take(second)
    words = "another run changes this cluster (lock on i1): up by "
    assert caught.value.message.startswith(words)
    assert "--lock-wait" in caught.value.cure
    timer = threading.Timer(0.3, first.release)
    timer.start()
    take(second, "run-2", 60)
    timer.join()
    assert world.held()["run"] == "run-2"


def test_a_stale_lock_is_refused_with_the_line_that_breaks_it(world: World) -> None:
    world.lock.parent.mkdir(exist_ok=True)
    replaced(world)
    os.utime(world.lock, (1, 1))
    with pytest.raises(Refused, match="stale: last heartbeat") as caught:
        take(world.guard("here")[0])
    assert f"--dir {world.place}/here lock break" in caught.value.cure
    assert world.held() == who("bb", "elsewhere")


def test_what_a_dead_run_of_the_same_directory_left_is_taken_over(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    take(world.guard("here")[0])
    took = capsys.readouterr().err
    guard, _ = world.guard("here")
    take(guard, "run-2")
    told = capsys.readouterr().err
    assert took == ""
    assert "took over the lock on i1 from run-1" in told and f"pid {os.getpid()}, " in told
    assert world.held()["run"] == "run-2"


def test_the_lock_is_kept_by_heartbeats_without_a_word(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    guard, halt = world.guard("here")
    take(guard)
    for _ in range(2):
        os.utime(world.lock, (1, 1))
        wait_until(lambda: world.lock.stat().st_mtime > 1)
    assert halt.refusal is None
    assert capsys.readouterr().err == ""


def test_a_heart_goes_on_beating_when_its_node_was_away(world: World) -> None:
    closed: list[str] = []
    guard, halt = world.guard("here", closed)
    take(guard)
    asked = len(world.connection.asked)
    world.connection.gone = True
    wait_until(lambda: len(world.connection.asked) > asked + 1)
    assert halt.refusal is None
    world.connection.gone = False
    broken(world)
    wait_until(lambda: bool(closed))


def broken(world: World) -> None:
    seen = nodelock.ask(world.node, "show")
    nodelock.break_it(world.node, seen, Options(command="lock break"))


def removed(world: World) -> None:
    world.lock.unlink()


def replaced(world: World) -> None:
    new = world.lock.with_suffix(".test")
    new.write_text(f"{json.dumps(who('bb', 'elsewhere'))}\n{int(time.time())}\n")
    new.replace(world.lock)


@pytest.mark.parametrize(("lose", "words"), [
    (broken, f"was broken by root@{platform.node()}, "),
    (removed, "is gone: somebody removed it; no further command"),
    (replaced, "was broken, and is held by up by eve@box, pid 7"),
])  # fmt: skip
def test_a_run_that_lost_its_lock_stops(
    world: World, lose: Callable[[World], None], words: str
) -> None:
    closed: list[str] = []
    guard, halt = world.guard("here", closed)
    take(guard)
    lose(world)
    wait_until(lambda: bool(closed))
    with pytest.raises(Refused, match="the lock of this run on i1 ") as caught:
        halt.check()
    assert words in caught.value.message and "resume" in caught.value.cure
    guard.release()
    assert world.lock.exists() == (lose is replaced), "what is another's is not given back"
    assert closed == ["here"]


def test_only_the_lock_that_was_seen_is_broken(world: World) -> None:
    take(world.guard("here")[0])
    seen = nodelock.ask(world.node, "show")
    replaced(world)
    with pytest.raises(Refused, match="the lock on i1 is another one by now: up by eve") as caught:
        nodelock.break_it(world.node, seen, Options())
    assert "lock status" in caught.value.cure


def test_a_node_that_is_away_is_asked_again(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    guard, halt = world.guard("here")
    world.connection.gone = True
    take(guard)
    assert "no lock on i1" in (told := capsys.readouterr().err) and "no answer" in told
    assert not world.lock.exists()
    world.connection.gone = False
    wait_until(lambda: "i1 can be asked now" in capsys.readouterr().err)
    assert world.held()["run"] == "run-1" and halt.refusal is None


def test_a_node_that_was_away_and_is_held_by_another_stops_the_run(world: World) -> None:
    closed: list[str] = []
    guard, halt = world.guard("here", closed)
    world.connection.gone = True
    take(guard)
    world.lock.parent.mkdir(exist_ok=True)
    replaced(world)
    world.connection.gone = False
    wait_until(lambda: bool(closed))
    with pytest.raises(
        Refused, match=r"another run changes this cluster \(lock on i1\): up by eve"
    ):
        halt.check()
    guard.release()
    assert world.lock.exists()


def test_a_lock_whose_answer_was_lost_is_given_back(world: World) -> None:
    guard, _ = world.guard("here")
    world.connection.lost = True
    take(guard)
    assert world.lock.exists()
    world.connection.lost = False
    guard.release()
    assert not world.lock.exists()


def test_of_a_lock_whose_answer_was_lost_anothers_is_not_given_back(world: World) -> None:
    world.lock.parent.mkdir(exist_ok=True)
    replaced(world)
    guard, _ = world.guard("here")
    world.connection.lost = True
    take(guard)
    world.connection.lost = False
    guard.release()
    assert world.held() == who("bb", "elsewhere")


def test_the_mark_of_a_broken_lock_goes_with_the_run(world: World) -> None:
    nodelock.ask(world.node, "take", "aa", "here", who("aa", "here"))
    broken(world)
    assert nodelock.ask(world.node, "show").broken == "aa"
    nodelock.ask(world.node, "release", "bb")
    assert world.lock.exists()
    nodelock.ask(world.node, "release", "aa")
    assert not world.lock.exists()


def test_a_lock_that_cannot_be_written_is_an_error_and_where_to_look(world: World) -> None:
    (world.place / "state/lock.new").mkdir(parents=True)
    with pytest.raises(DeployError, match=r"^its lock cannot be had: .*lock\.new") as caught:
        nodelock.ask(world.node, "take", "aa", "here", who("aa"))
    assert "/var/lib/dlws/lock" in caught.value.cure
    assert not world.lock.exists()


def test_on_a_fresh_node_a_look_makes_nothing_and_taking_makes_its_place(
    node: Node, tmp_path: Path
) -> None:
    node.connection = box = Fresh(tmp_path / "lib")
    assert nodelock.ask(node, "show").verdict == "none"
    assert list(box.lib.iterdir()) == []
    assert nodelock.ask(node, "take", "aa", "here", who("aa")).verdict == "taken"
    assert (box.lib / "dlws").stat().st_mode & 0o777 == 0o755
    assert nodelock.ask(node, "show").token == "aa"


def test_a_node_that_has_no_room_for_a_lock(node: Node, tmp_path: Path) -> None:
    node.connection = box = Fresh(tmp_path / "lib")
    (box.lib / "dlws").touch()
    with pytest.raises(DeployError, match=r"its lock cannot be had: exit 1, .*mkdir"):
        nodelock.ask(node, "take", "aa", "here", who("aa"))


def test_a_directory_is_known_by_its_machine_and_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a/deploy").mkdir(parents=True)
    found = {nodelock.directory_id(tmp_path / "a")}
    (tmp_path / "a").rename(tmp_path / "b")
    found.add(nodelock.directory_id(tmp_path / "b"))
    monkeypatch.setattr(platform, "node", lambda: "another")
    found.add(nodelock.directory_id(tmp_path / "b"))
    assert len(found) == 3


def test_a_lock_that_cannot_be_given_back_is_told_with_the_line_that_breaks_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    guard, _ = world.guard("here")
    take(guard)
    world.connection.gone = True
    guard.release()
    told = capsys.readouterr().err
    assert "the lock on i1 was not given back: no answer" in told
    assert f"--dir {world.place}/here lock break" in told
    assert world.lock.exists()


def test_a_node_that_never_had_our_lock_is_not_asked_for_it(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    guard, _ = world.guard("here")
    world.connection.gone = True
    take(guard)
    guard.release()
    assert "not given back" not in capsys.readouterr().err


def test_the_line_that_breaks_a_lock_names_another_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(directory=tmp_path / "a b")
    assert nodelock.break_line(options) == f"./deploy.py --dir '{tmp_path}/a b' lock break"
    monkeypatch.chdir(tmp_path)
    assert nodelock.break_line(Options(directory=tmp_path)) == "./deploy.py lock break"
