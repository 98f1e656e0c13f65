"""Runs, resume, locks and hooks, as a person uses them."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

from tests.support.deploy import Deploy
from tests.support.killing import PROGRAM, effects
from tests.support.waiting import wait_for


def test_a_second_run_is_told_who_holds_the_lock(
    deploy: Deploy, counting: Path, tmp_path: Path
) -> None:
    line = [sys.executable, str(PROGRAM), "--dir", str(deploy.directory), "--nodes", "w1"]
    with subprocess.Popen(
        [*line, "runscriptonall", str(counting)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as first:
        wait_for(tmp_path / "did-w1")
        told = deploy("runscriptonall", str(counting), code=4).stderr
        assert f"runscriptonall by root@{os.uname().nodename}, pid {first.pid}" in told
        deploy("execonall", "true", code=4)
        (tmp_path / "gate").touch()
        assert first.wait() == 0
    deploy("--lock-wait", "5", "--nodes", "w2", "runscriptonall", str(counting))
    assert effects(tmp_path) == {"did-w1": "x\n", "did-w2": "x\n"}


def test_commands_of_ones_own_may_run_beside_each_other(deploy: Deploy) -> None:
    (deploy.directory / "deploy").mkdir(exist_ok=True)
    with (deploy.directory / "deploy/lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        assert deploy("execonall", "echo beside").stdout.count("beside") == 4
