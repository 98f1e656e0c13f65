"""The lock of a cluster's directory, which the operating system holds."""

from __future__ import annotations

import getpass
import json
import os
import platform
import threading
import time
from pathlib import Path

import pytest

from dlws.core.errors import Refused
from dlws.runs import lock
from dlws.runs.options import Options


def take(deploy: Path, command: str = "up", seconds: float = 0) -> lock.Held:
    return lock.take(deploy, Options(command=command), time.monotonic() + seconds)


@pytest.fixture
def deploy(tmp_path: Path) -> Path:
    return tmp_path / "deploy"


def test_a_lock_is_for_its_owner_and_says_who_holds_it(deploy: Path) -> None:
    take(deploy).release()
    assert deploy.stat().st_mode & 0o777 == 0o700
    assert (deploy / "lock").stat().st_mode & 0o777 == 0o600
    who = json.loads((deploy / "lock").read_text())
    assert (who["user"], who["host"]) == (getpass.getuser(), platform.node())
    assert (who["pid"], who["command"]) == (os.getpid(), "up")
    assert 0 <= time.time() - who["since"] < 60


def test_another_run_is_refused_and_told_who_holds_it(deploy: Path) -> None:
    held = take(deploy, "kubeadm init")
    with pytest.raises(Refused) as caught:
        take(deploy)
    who = f"kubeadm init by {getpass.getuser()}@{platform.node()}, pid {os.getpid()}, for 0."
    assert caught.value.message.startswith(f"another run changes this cluster: {who}")
    assert "--lock-wait" in caught.value.cure
    held.release()
    take(deploy).release()


def test_a_refusal_leaves_nothing_open(deploy: Path) -> None:
    held, before = take(deploy), len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        with pytest.raises(Refused):
            take(deploy)
    assert len(os.listdir("/proc/self/fd")) == before
    held.release()


def test_it_is_waited_for_until_the_deadline(deploy: Path) -> None:
    held = take(deploy)
    with pytest.raises(Refused):
        take(deploy, seconds=0.3)
    timer = threading.Timer(0.3, held.release)
    timer.start()
    take(deploy, seconds=60).release()
    timer.join()


@pytest.mark.parametrize(("first", "second", "beside"), [
    ("execonall", "doonall", True), ("doonall", "execonall", True),
    ("execonall", "up", False), ("up", "execonall", False), ("up", "up", False),
    ("docker", "up", True), ("up", "docker", True), ("docker", "docker", False),
])  # fmt: skip
def test_which_runs_go_beside_each_other(
    deploy: Path, first: str, second: str, beside: bool
) -> None:
    held = take(deploy, first)
    if beside:
        take(deploy, second).release()
    else:
        with pytest.raises(Refused):
            take(deploy, second)
    held.release()


def test_the_holder_that_is_told_is_the_last_one(deploy: Path) -> None:
    take(deploy, "a command with many words in it").release()
    held = take(deploy, "up")
    with pytest.raises(Refused, match=": up by "):
        take(deploy)
    held.release()


@pytest.mark.parametrize("text", ["", "x", "[]", "{}", '{"since": "x"}', '{"since": 1}'])
def test_a_holder_that_cannot_be_read_is_a_holder_all_the_same(deploy: Path, text: str) -> None:
    held = take(deploy)
    (deploy / "lock").write_text(text)
    with pytest.raises(Refused, match="its holder has not said who it is"):
        take(deploy)
    held.release()


def test_a_holder_from_the_future_has_held_it_for_no_time() -> None:
    who = {"user": "eve", "host": "box", "pid": 7, "command": "up"}
    assert lock.words(who, -5) == "up by eve@box, pid 7, for 0.0 s"
    assert lock.words(who, 75) == "up by eve@box, pid 7, for 1 min 15 s"
