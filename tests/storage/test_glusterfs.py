"""Volumes made, looked at and healed, by what gluster answers on nodes."""

from __future__ import annotations

import contextlib
import json
import shlex
from collections.abc import Callable

import pytest

from dlws.core.connection import Result
from dlws.core.errors import CheckFailed, DeployError, Refused, UsageError
from dlws.nodes.cluster import Cluster
from dlws.nodes.node import CommandFailed
from dlws.roles import apply
from dlws.storage import glusterfs, glusterstatus
from tests.support.fakes import World

Make = Callable[..., World]
TEXT = """
cluster_name: atlas
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: worker, private-ip: 10.1.0.11}
  w2: {role: worker, private-ip: 10.1.0.12}
mountpoints:
  g: {type: glusterfs, server: w1 w2, filesharename: gv}
"""
PLACE = "/var/lib/dlws/bricks/gv"
BRICKS = (f"10.1.0.11:{PLACE}", f"10.1.0.12:{PLACE}")
CLIENTS = "10.1.0.1,10.1.0.11,10.1.0.12"


class Gluster:
    """What the nodes of a volume know together."""

    def __init__(self, world: World) -> None:
        self.peers: dict[str, int] = {}
        self.made, self.started, self.allowed = False, False, ""
        self.bricks = dict.fromkeys(("w1", "w2"), "nothing")
        self.served = dict.fromkeys(BRICKS, 1)
        self.behind: list[tuple[int, int]] = []
        self.done: list[str] = []
        self.starting, self.words = 0, ""
        for name in ("w1", "w2"):
            world.fakes[name].rules.append(self.answers(name))

    def answers(self, name: str) -> Callable[[str, bytes], Result | None]:
        def answer(command: str, stdin: bytes) -> Result | None:
            if "volume-id" in f"{command}{stdin!r}":
                return Result(0, f"{self.bricks[name]}\n".encode())
            if "--mode=script" not in command:
                return None
            text = command[command.index("--mode=script") + 13 :].split("'", maxsplit=1)[0]
            words = [word.strip("'\"") for word in shlex.split(text, posix=False)]
            if words[:2] == ["volume", "heal"] and "--xml" not in words and self.starting:
                self.starting -= 1
                return Result(1, b"", self.words.encode())
            inner = self.asked(words) if "--xml" in words else self.do(words)
            return Result(0, f"<cliOutput><opRet>0</opRet>{inner}</cliOutput>".encode())

        return answer

    def do(self, words: list[str]) -> str:
        self.done.append(" ".join(words))
        if words[:2] == ["peer", "probe"]:
            self.peers[words[2]] = 1
        elif words[:2] == ["volume", "create"]:
            self.made = True
            self.bricks = dict.fromkeys(self.bricks, "volume aabb")
        elif words[:2] == ["volume", "set"]:
            self.allowed = words[4]
        elif words[:2] == ["volume", "start"]:
            self.started = True
        return ""

    def asked(self, words: list[str]) -> str:
        if words[:2] == ["peer", "status"]:
            return "".join(f"<peer><hostname>{one}</hostname><connected>{up}</connected>"
                           "<state>3</state></peer>" for one, up in self.peers.items())  # fmt: skip
        if words[:2] == ["volume", "status"]:
            return "".join(f"<node><hostname>{host}</hostname><path>{path}</path>"
                           f"<status>{up}</status></node>" for brick, up in self.served.items()
                           for host, _, path in [brick.partition(":")])  # fmt: skip
        if words[:2] == ["volume", "heal"]:
            total, split = self.behind.pop(0) if self.behind else (0, 0)
            return "".join(
                f"<brick><name>{brick}</name><status>Connected</status><totalNumberOfEntries>"
                f"{total}</totalNumberOfEntries><numberOfEntriesInSplitBrain>{split}"
                "</numberOfEntriesInSplitBrain></brick>" for brick in BRICKS)  # fmt: skip
        bricks = "".join(f"<brick><name>{brick}</name></brick>" for brick in BRICKS)
        option = f"<option><name>auth.allow</name><value>{self.allowed}</value></option>"
        status = f"<id>aa-bb</id><status>{int(self.started)}</status>"
        return f"<volume><name>gv</name>{status}{bricks}{option}</volume>" if self.made else ""


@pytest.fixture
def world(make: Make, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(apply, "bring", lambda *words: None)
    monkeypatch.setattr(glusterstatus, "_PAUSE", 0)
    return make(TEXT)


def ready(world: World) -> Gluster:
    there = Gluster(world)
    glusterfs.create(world.cluster)
    there.done.clear()
    return there


def test_it_is_made_once(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    there = Gluster(world)
    glusterfs.create(world.cluster)
    assert there.done == [
        "peer probe 10.1.0.12",
        f"volume create gv replica 2 {' '.join(BRICKS)} force",
        f"volume set gv auth.allow {CLIENTS}",
        "volume start gv",
    ]
    there.done.clear()
    glusterfs.create(world.cluster)
    assert there.done == [] and "nothing to do" in capsys.readouterr().err


@pytest.mark.parametrize(("said", "made", "words"), [
    ("foreign", False, "w2: .* holds something else"), ("volume 1234", False, "of another volume"),
    ("volume 1234", True, "of another volume"), ("nothing", True, "is its disk mounted"),
    ("", False, "holds something else"), ("nothing\nforeign", False, "holds something else"),
])  # fmt: skip
def test_no_brick_is_made_over_anything(world: World, said: str, made: bool, words: str) -> None:
    there = ready(world) if made else Gluster(world)
    there.bricks["w2"] = said
    with pytest.raises(Refused, match=words):
        glusterfs.create(world.cluster)
    assert there.done == []


def test_a_volume_on_other_machines_is_left_alone(world: World) -> None:
    there = ready(world)
    config = world.cluster.config
    object.__setattr__(config, "glusterfs_bricks", "/elsewhere")
    with pytest.raises(Refused, match="has other bricks"):
        glusterfs.create(world.cluster)
    assert there.done == []


def test_a_peer_that_does_not_come(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    there = Gluster(world)
    monkeypatch.setattr(glusterfs, "_PATIENCE", -1)
    there.peers = {"10.1.0.12": 0}
    with pytest.raises(DeployError, match="w2: no peer of w1") as error:
        glusterfs.create(world.cluster)
    assert "24007" in error.value.cure and there.done == []


def states(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> list[str]:
    capsys.readouterr()
    with contextlib.suppress(CheckFailed):
        glusterstatus.show(cluster, "json")
    return [row["state"] for row in json.loads(capsys.readouterr().out)]


def test_states(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    there = ready(world)
    assert states(world.cluster, capsys) == ["served", "served"]
    there.behind = [(3, 0)]
    assert states(world.cluster, capsys) == ["heals", "heals"]
    there.behind = [(3, 1)]
    with pytest.raises(CheckFailed, match="split brain") as error:
        glusterstatus.show(world.cluster, "table")
    assert "split-brain" in error.value.cure
    there.served[BRICKS[1]] = 0
    assert states(world.cluster, capsys) == ["served", "not served"]
    there.peers["10.1.0.12"] = 0
    assert states(world.cluster, capsys) == ["served", "away"]
    there.started = False
    assert states(world.cluster, capsys) == ["stopped", "away"]


def test_heal_waits_until_all_copies_are_the_same(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    there = ready(world)
    there.behind = [(5, 0), (4, 0), (0, 0)]
    glusterstatus.heal(world.cluster, 60)
    assert there.done[-1] == "volume heal gv" and there.behind == []
    assert "all copies are the same" in capsys.readouterr().err
    there.behind = [(1, 1)] * 9
    with pytest.raises(CheckFailed, match="split brain"):
        glusterstatus.heal(world.cluster, 60)
    there.behind = [(1, 0)] * 99
    with pytest.raises(CheckFailed, match="still to be healed"):
        glusterstatus.heal(world.cluster, 0)


@pytest.mark.parametrize("words", [
    "Staging failed on 10.1.0.11. Error: Self-heal daemon is not running. Check the log.",
    "Launching heal operation to perform index self heal on volume gv has been unsuccessful:\n"
    "Glusterd Syncop Mgmt brick op 'Heal' failed. Please check glustershd log file for details.",
])  # fmt: skip
def test_heal_waits_for_the_healing_daemon_of_a_node_that_is_back(
    world: World, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = ready(world)
    there.starting, there.words = 2, words
    glusterstatus.heal(world.cluster, 60)
    assert there.done[-1] == "volume heal gv" and not there.starting
    there.starting = 1
    with pytest.raises(CommandFailed, match=words[-20:]):
        glusterstatus.heal(world.cluster, 0)
    monkeypatch.setattr(glusterstatus, "_PATIENCE", 0)
    there.starting = 1
    with pytest.raises(CommandFailed, match=words[-20:]):
        glusterstatus.heal(world.cluster, 60)


def test_heal_waits_for_nothing_else(world: World) -> None:
    there = ready(world)
    there.starting, there.words = 1, "volume gv does not exist"
    with pytest.raises(CommandFailed, match="does not exist"):
        glusterstatus.heal(world.cluster, 60)


def test_without_a_volume_the_error_says_how_to_name_one(make: Make) -> None:
    with pytest.raises(UsageError, match="names no GlusterFS volume") as error:
        glusterfs.create(make(TEXT.partition("mountpoints")[0]).cluster)
    assert "mountpoints:" in error.value.cure
