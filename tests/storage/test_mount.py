"""Mounting, unmounting and cleaning up, by what nodes answer."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.resources import template
from dlws.storage import mount
from tests.support.commands import runs
from tests.support.fakes import World
from tests.support.shares import TEXT

Make = Callable[..., World]
SSHFS = r"mntdlws-a\x20b"


def systemd(active: set[str], fails: str = "") -> Callable[[str, bytes], Result | None]:
    """A node on which these units are active."""

    def answer(command: str, _stdin: bytes) -> Result | None:
        words = shlex.split(command)
        if "is-active" in words:
            lines = ("active" if word in active else "inactive" for word in words[3:])
            return Result(0, "".join(f"{line}\n" for line in lines).encode())
        if "stop" in command and fails and fails in command:
            return Result(1, b"", b"Job failed: target is busy\n")
        if "stop" in command:
            active.difference_update({unit for unit in active if unit in command})
        return None

    return answer


def stopped(world: World, name: str) -> list[str]:
    return [command for command in world.commands(name) if "systemctl stop" in command]


def test_stop_unmounts_before_automounts_go_and_then_has_nothing_to_do(make: Make) -> None:
    world = make(TEXT)
    world.fakes["w1"].rules.append(systemd({f"{SSHFS}.automount", f"{SSHFS}.mount"}))
    world.fakes["infra01"].rules.append(systemd(set()))
    mount.stop(world.cluster)
    assert stopped(world, "infra01") == []
    assert world.cluster.run.console.changes == [
        f"w1: stopped {SSHFS}.mount",
        f"w1: stopped {SSHFS}.automount",
    ]
    mount.stop(world.cluster)
    assert len(stopped(world, "w1")) == 2


def test_a_busy_share_stays_and_its_automount_with_it(make: Make) -> None:
    world = make(TEXT)
    world.fakes["w1"].rules.append(
        systemd({f"{SSHFS}.automount", f"{SSHFS}.mount"}, fails=f"{SSHFS}.mount")
    )
    with pytest.raises(DeployError, match="cannot be stopped: Job failed: target is busy"):
        mount.stop(world.cluster, ["w1"])
    assert len(stopped(world, "w1")) == 1


def test_a_dry_run_of_stop_sends_nothing(make: Make) -> None:
    world = make(TEXT, dry_run=True)
    world.fakes["w1"].rules.append(systemd({f"{SSHFS}.mount"}))
    mount.stop(world.cluster, ["w1"])
    assert stopped(world, "w1") == [] and world.cluster.run.console.changes == []
    assert len(world.cluster.run.gate.actions) == 1


def test_clean_refuses_and_names_what_is_mounted_before_it_changes_any_node(make: Make) -> None:
    world = make(TEXT)
    found = Result(0, b"/mntdlws/a b (fuse.sshfs of nas:/x)\n")
    world.fakes["w1"].rules.append(lambda line, _: found if "mountinfo" in line else None)
    with pytest.raises(Refused) as caught:
        mount.clean(world.cluster)
    assert "  w1: /mntdlws/a b (fuse.sshfs of nas:/x)" in caught.value.message
    assert "mount stop" in caught.value.cure
    for name in world.fakes:
        assert len(world.commands(name)) == 1 and not runs(world.commands(name)[0], "rm")


def test_an_incomplete_share_is_said_where_shares_are_to_be_mounted(make: Make) -> None:
    world = make(TEXT + "  h: {type: hdfs}\n")
    with pytest.raises(UsageError, match=r"mountpoints\.h .*do not mount hdfs") as caught:
        mount.bring(world.cluster, [mount.MOUNTS, mount.LINKS])
    assert "autoshare: false" in caught.value.cure
    assert world.commands("w1") == []


TABLE = """\
22 1 0:20 / /proc rw shared:5 - proc proc rw
30 28 0:5 / /mnt/a\\040b\\134%d rw shared:1 - nfs4 nas:/x\\040y rw
31 28 0:5 / /mnt/a\\040b\\134%d/in rw - ext4 /dev/sdb1 rw
32 28 0:5 / /mnt/a rw shared:1 - autofs systemd-1 rw,fd=30
33 28 0:5 / /mnt/az rw shared:1 - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(("places", "lines"), [
    (["/mnt/a b\\%d"], ["/mnt/a b\\%d (nfs4 of nas:/x y)", "/mnt/a b\\%d/in (ext4 of /dev/sdb1)"]),
    (["/mnt/a"], ["/mnt/a (autofs of systemd-1)"]), (["/mnt/*", "/m"], []),
])  # fmt: skip
def test_what_is_mounted_on_a_place_or_below(
    tmp_path: Path, places: list[str], lines: list[str]
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(TABLE)
    done = subprocess.run(
        ["sh", "-c", template("storage/mounted.sh"), "dlws", *places],
        env={"PATH": "/usr/bin:/bin", "DLWS_ROOT": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines() == lines


@pytest.mark.parametrize("roles", [["mount-packages"], ["mounts", "mount-links"], ["mount-links"]])
def test_each_node_is_asked_once_for_all_roles(make: Make, roles: list[str]) -> None:
    world = make(TEXT)
    wanted = ["mount-packages", *roles] if "mounts" in roles else roles
    answer = "".join(f"{number} 0  \n" for number in range(len(wanted))).encode()
    for fake in world.fakes.values():
        fake.rules.append(lambda command, stdin: Result(0, answer))
    mount.bring(world.cluster, roles)
    assert {name: len(fake.asked) for name, fake in world.fakes.items()} == {"infra01": 1, "w1": 1}
    assert world.cluster.run.console.changes == []
