from __future__ import annotations

import shutil
from pathlib import Path

import paramiko
import pytest

from dlws.sandbox import faults
from tests.support.boxes import running
from tests.support.deploy import Deploy
from tests.support.private import possible
from tests.support.sandboxes import Made, MakeSandbox
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not possible(), reason="a /var/lib/dlws of its own takes root")


HELD = "[ -e /var/lib/dlws/lock ] && echo held || echo free"

REBOOTS = """[ "${1:-}" = continue ] || exit 194
echo >/root/back; while [ ! -e /root/gate ]; do sleep 0.1; done
"""


def answers(box: Made, node: str, command: str) -> str:
    """What a node prints; nothing while it is away."""
    try:
        return box.run(node, command)
    except (paramiko.SSHException, OSError, EOFError):
        return ""


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Made:
    made = make_sandbox(1, 1)
    for words in (("build",), ("sshkey", "install")):
        Deploy(made.directory)(*words)
    return made


@pytest.fixture
def copy(box: Made, tmp_path: Path) -> Deploy:
    shutil.copy(box.config, tmp_path)
    shutil.copytree(box.directory / "deploy", tmp_path / "deploy")
    (tmp_path / "reboots.sh").write_text(REBOOTS)
    box.run("infra1", "rm -f /root/back /root/gate")
    return Deploy(tmp_path)


@pytest.mark.sandbox
def test_on_a_real_node_it_outlives_a_reboot(box: Made, copy: Deploy) -> None:
    job = ("--sudo", "--nodes", "infra1", "runscriptonall", str(copy.directory / "reboots.sh"))
    with running(box.directory, *job) as run:
        back = "[ -e /root/back ] && cat /var/lib/dlws/lock && stat -c '%a %U' /var/lib/dlws/lock"
        wait_until(lambda: f'"pid": {run.pid},' in answers(box, "infra1", f"{back} || true"), 120)
        assert box.run("infra1", back).endswith("600 root")
        assert f"pid {run.pid}" in copy(*job, code=4).stderr
        box.run("infra1", "touch /root/gate")
        assert run.wait(60) == 0
    assert box.run("infra1", HELD) == "free"


@pytest.mark.sandbox
def test_a_node_that_was_away_is_locked_when_it_is_back(box: Made, copy: Deploy) -> None:
    script = copy.directory / "wait.sh"
    script.write_text("echo >/root/begun; while [ ! -e /root/gate ]; do sleep 0.1; done\n")
    infra = box.sandbox.node("infra1")
    faults.cut(box.sandbox, infra)
    try:
        with running(
            box.directory, "--sudo", "--nodes", "worker1", "runscriptonall", str(script)
        ) as p:
            begun = "[ -e /root/begun ] && echo begun || true"
            wait_until(lambda: box.run("worker1", begun) == "begun", 60)
            faults.heal(box.sandbox, infra)
            wait_until(lambda: box.run("infra1", HELD) == "held", 60)
            assert f"pid {p.pid}" in copy("--sudo", "copytoall", str(script), "/x", code=4).stderr
            box.run("worker1", "touch /root/gate")
            _, told = p.communicate(timeout=60)
            assert p.returncode == 0 and "no lock on infra1" in told
    finally:
        faults.heal(box.sandbox, infra)
    assert box.run("infra1", HELD) == "free"
