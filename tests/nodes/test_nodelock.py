from __future__ import annotations

import json
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.core.errors import DeployError
from dlws.nodes import nodelock
from dlws.nodes.node import Login, Node
from dlws.nodes.nodelock import LockState
from tests.support.invocations import unrecorded
from tests.support.locks import who
from tests.support.private import Fresh, Inside, possible

pytestmark = pytest.mark.skipif(not possible(), reason="a /var/lib/dlws of its own takes root")

HELD = LockState("held", who("aa", "here"), silent=5, held=75)

STALE = LockState("held", who("aa", "here"), silent=61, held=75)

BROKEN = LockState("held", {"broken": "aa", "by": "eve@box"}, held=75)


def test_a_lock_in_words() -> None:
    assert HELD.words == "up by eve@box, pid 7, for 1 min 15 s, last heartbeat 5.0 s ago"
    assert STALE.words == (
        "up by eve@box, pid 7, for 1 min 15 s, stale: last heartbeat 1 min 1 s ago"
    )
    assert LockState("none").words == "free"
    assert BROKEN.words == "free (1 min 15 s ago broken by eve@box)"


def test_a_lock_is_stale_after_a_minute_without_a_heartbeat() -> None:
    assert [LockState("held", who("aa"), silent=s).stale for s in (0, 60, 61)] == [
        False,
        False,
        True,
    ]
    assert not LockState("held", {"broken": "aa"}, silent=61).stale


def test_a_lock_for_programs_has_no_token() -> None:
    about = {"user": "eve", "host": "box", "pid": 7, "command": "up", "directory": "here"}
    times = {"held_seconds": 75, "silent_seconds": 5}
    assert HELD.as_data("i1") == {"node": "i1", "state": "held", **times, **about}
    assert STALE.as_data("i1")["state"] == "stale"
    assert (
        BROKEN.as_data("i1") == LockState("none").as_data("i1") == {"node": "i1", "state": "free"}
    )


def test_an_answer_of_the_node_is_read_by_its_clock() -> None:
    content = json.dumps(who("aa", "here"))
    assert nodelock.parse(f"held\n1000 995\n{content}\n925") == HELD
    assert nodelock.parse(f"held\n1000 1001\n{content}\n1002").held == 0
    assert nodelock.parse(f"held\n1000 1001\n{content}\n1002").silent == 0
    assert nodelock.parse("none") == LockState("none")
    assert nodelock.parse('taken\n1 1\n{"broken": "aa"}\n1') == LockState("taken", {"broken": "aa"})


def test_what_cannot_be_read_is_shown_and_where_to_look() -> None:
    with pytest.raises(DeployError) as caught:
        nodelock.parse(f"held\n{1000 * 'x'}")
    assert caught.value.message == f"the lock on the node cannot be read: 'held\\n{195 * 'x'}'"
    assert "/var/lib/dlws/lock" in caught.value.cure


def test_a_place_that_another_makes_meanwhile_does_as_well(tmp_path: Path) -> None:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    shutil.copy("/bin/mkdir", own := tmp_path / "own")
    twice = tmp_path / "mkdir"
    twice.write_text(f'#!/bin/sh\n{own} "$@"; exec {own} "$@"\n')
    twice.chmod(0o755)
    box = Fresh(tmp_path / "lib", twice)
    node = Node(config.machines["i1"], "10.0.0.1", box, Login(), unrecorded())
    assert nodelock.ask(node, "show").verdict == "none"
    assert not (tmp_path / "lib/dlws").exists()
    assert nodelock.ask(node, "take", "aa", "here", who("aa", "here")).verdict == "taken"
    assert (tmp_path / "lib/dlws").stat().st_mode & 0o777 == 0o755
    assert nodelock.ask(node, "show").token == "aa"


def test_only_its_holder_keeps_it_and_gives_it_back(node: Node) -> None:
    assert nodelock.ask(node, "take", "aa", "here", who("aa", "here")).verdict == "taken"
    assert nodelock.ask(node, "take", "bb", "there", who("bb", "there")).token == "aa"
    assert nodelock.ask(node, "beat", "bb").verdict == "lost"
    nodelock.ask(node, "release", "bb")
    assert nodelock.ask(node, "break", "bb", content={"broken": "bb"}).verdict == "changed"
    assert nodelock.ask(node, "beat", "aa").verdict == "kept"
    nodelock.ask(node, "release", "aa")
    assert nodelock.ask(node, "show").verdict == "none"


def test_of_racers_exactly_one_takes_it(node: Node) -> None:
    names = [f"{number:016x}" for number in range(16)]
    for _ in range(5):
        start = threading.Barrier(len(names))

        def take(name: str, start: threading.Barrier = start) -> str:
            start.wait(30)
            return nodelock.ask(node, "take", name, name, who(name, name)).verdict

        with ThreadPoolExecutor(len(names)) as pool:
            verdicts = list(pool.map(take, names))
        assert sorted(verdicts) == ["held"] * (len(names) - 1) + ["taken"]
        winner = names[verdicts.index("taken")]
        assert nodelock.ask(node, "show").token == winner
        nodelock.ask(node, "release", winner)


def test_no_list_of_processes_shows_a_token(node: Node) -> None:
    box = node.connection
    assert isinstance(box, Inside)
    for what in ("take", "beat", "show", "release", "break"):
        nodelock.ask(node, what, "0123456789abcdef", "here", who("0123456789abcdef", "here"))
    assert len(box.asked) == 5 and "0123456789abcdef" not in "".join(box.asked)
    # Nor does the script hand it to a program: it tells locks apart by words of the shell.
    uses = re.findall(r'(\S+ \S+) "\$token"', nodelock._LOCK)
    assert set(uses) == {"has token", "has broken"} and "grep" not in nodelock._LOCK


HOSTILE = [
    *("[1]", '"token"', "[" * 3000, '{"token": "a", "user": []}', '{"since": NaN, "token": "aa"}'),
    *('{"token": {}}', "{" * 5000, json.dumps({**who("aa"), "user": "x" * 2_000_000})),
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
def test_what_is_no_lock(content: str) -> None:
    with pytest.raises(DeployError, match="cannot be read") as caught:
        nodelock.parse(f"held\n1000 995\n{content}\n925")
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    "text", ["mine", "held\x0b1 1", "held\n1 1\n{}", "held\n1 -1\n{}\n1", "none\n1 1\n{}\n1\n1"]
)
def test_what_no_lock_says(text: str) -> None:
    with pytest.raises(DeployError, match="cannot be read"):
        nodelock.parse(text)


@pytest.mark.parametrize("text", ["", "held\nx y\n{}\n1", "held\n1 1\n{", "held\n1 1\n{}",
                                  'held\n1 1\n{"token": "a"}\n1'])  # fmt: skip
def test_what_is_no_answer(text: str) -> None:
    with pytest.raises(DeployError, match="cannot be read"):
        nodelock.parse(text)


def test_a_copy_of_a_directory_is_another_one(tmp_path: Path) -> None:
    (tmp_path / "a/deploy").mkdir(parents=True)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "link").symlink_to(tmp_path / "a")
    ids = [nodelock.directory_id(tmp_path / name) for name in ("a", "b", "link")]
    assert ids[0] == ids[2] != ids[1]


def test_an_empty_lock_file_is_broken_on_its_node_and_a_whole_one_is_not(node: Node) -> None:
    nodelock.ask(node, "take", "aa", "here", who("aa", "here"))
    assert nodelock.ask(node, "clear").verdict == "changed"
    assert nodelock.ask(node, "show").token == "aa"
    node.read("truncate -s 0 /var/lib/dlws/lock")
    seen = nodelock.ask(node, "take", "bb", "there", who("bb", "there"))
    assert seen.verdict == "held" and seen.damaged
    nodelock.break_it(node, nodelock.ask(node, "show"), unrecorded().options)
    assert nodelock.ask(node, "show").verdict == "none"


def test_an_empty_lock_file_is_nobodys_and_can_be_broken() -> None:
    seen = nodelock.parse("held\n1000 940\n")
    assert seen.damaged and not seen.free and seen.stale and not seen.token
    assert seen.words == "its file is empty since 1 min 0 s: nobody knows whose it was"
    assert nodelock.parse("held\n1000 940").as_data("i1")["state"] == "stale"
