"""The lock on the first infra node: copies of one cluster's directory against each other."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from tests.support import ROOT
from tests.support.boxes import Boxes, running
from tests.support.farm import Farm
from tests.support.farm.fixtures import StartFarm
from tests.support.locks import who
from tests.support.private import possible
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(not possible(), reason="a /var/lib/dlws of its own takes root")


@pytest.fixture
def boxes(farm: Farm) -> Boxes:
    return Boxes(farm)


def test_a_second_devbox_is_told_who_holds_the_lock_and_may_wait(boxes: Boxes) -> None:
    job = ("runscriptonall", str(boxes.script))
    with running(boxes.places[0], "--nodes", "node002", *job) as first:
        boxes.await_begin("node002")
        told = boxes[1]("--nodes", "node003", *job, code=4).stderr
        assert f"runscriptonall by root@{os.uname().nodename}, pid {first.pid}, for " in told
        assert "stale" not in told
        status = boxes[1]("lock", "status").stdout
        assert status.startswith("node001: runscriptonall by root@")
        shown = json.loads(boxes[1]("lock", "status", "--output", "json").stdout)
        assert (shown["state"], shown["pid"]) == ("held", first.pid)
        assert "token" not in shown
        assert boxes.lock.stat().st_mode & 0o777 == 0o600
        with running(boxes.places[1], "--lock-wait", "30", "--nodes", "node003", *job) as second:
            boxes.open()
            assert first.wait(30) == 0
            assert second.wait(30) == 0
    assert boxes.did() == {"did-node002": "x\n", "did-node003": "x\n"}
    assert not list(boxes.farm.state.glob("lock*"))
    assert boxes[1]("lock", "status").stdout == "node001: free\n"


def test_of_many_that_begin_at_once_one_wins(start_farm: StartFarm) -> None:
    boxes = Boxes(start_farm(2), 5)
    words = ["--nodes", "node002", "runscriptonall", str(boxes.script)]
    line = [sys.executable, str(ROOT / "deploy.py")]
    quiet = subprocess.DEVNULL
    all = [
        subprocess.Popen([*line, "--dir", str(place), *words], stdout=quiet, stderr=quiet)
        for place in boxes.places
    ]
    try:
        wait_until(lambda: [p.poll() for p in all].count(None) == 1, 60)
        boxes.open()
        assert sorted(process.wait(30) for process in all) == [0, 4, 4, 4, 4]
    finally:
        for process in all:
            process.kill()
            process.wait()
    assert boxes.did() == {"did-node002": "x\n"}
    assert not boxes.lock.exists()


def test_after_a_kill_resume_takes_over_what_was_its_own(boxes: Boxes) -> None:
    boxes.kill_one()
    assert "another run" in boxes[1]("runscriptonall", str(boxes.script), code=4).stderr
    boxes.open()
    assert "took over the lock on node001" in boxes[0]("resume").stderr
    assert not boxes.lock.exists()


def test_a_stale_lock_is_named_and_broken_by_the_line_that_is_told(boxes: Boxes) -> None:
    boxes.kill_one()
    old = time.time() - 300
    os.utime(boxes.lock, (old, old))
    told = boxes[1]("--lock-wait", "0", "copytoall", "/etc/hostname", "/tmp/x", code=4).stderr
    assert "stale: last heartbeat 5 min" in told
    line = shlex.split(told.split("if that run is dead: ")[1].splitlines()[0])
    assert line[1:] == ["--dir", str(boxes.places[1]), "lock", "break"]
    assert "stale" in boxes[1]("lock", "status").stdout
    assert "nothing was changed" in boxes[1]("lock", "break", stdin="another\n", code=4).stderr
    boxes[1]("--dry-run", "lock", "break")
    assert '"token"' in boxes.lock.read_text()
    boxes[1]("lock", "break", stdin="bench\n")
    boxes.open()
    boxes[1]("--nodes", "node002", "runscriptonall", str(boxes.script))
    assert not boxes.lock.exists()
    assert "nothing to break" in boxes[1]("lock", "break").stderr


def test_a_run_whose_lock_was_broken_stops_by_itself(boxes: Boxes) -> None:
    words = ("--parallel", "1", "runscriptonall", str(boxes.script))
    with running(boxes.places[0], *words) as run:
        boxes.await_begin()
        boxes[1]("lock", "break", "--yes-break", "bench")
        # The gate is still shut: the script on the first node would go on, others would begin.
        _, told = run.communicate(timeout=30)
    assert run.returncode == 4, told
    assert f"was broken by root@{os.uname().nodename}" in told
    assert "Traceback" not in told
    assert [boxes.farm.received(f"node{n:03}") for n in (2, 3, 4)] == [[], [], []]
    assert not boxes.lock.exists()
    boxes.open()
    boxes[0]("resume")


def test_a_run_whose_lock_another_has_by_now_stops_by_itself(boxes: Boxes) -> None:
    with running(boxes.places[0], "--parallel", "1", "runscriptonall", str(boxes.script)) as run:
        boxes.await_begin()
        new = boxes.lock.with_suffix(".test")
        new.write_text(f"{json.dumps(who('0' * 16))}\n{int(time.time())}\n")
        new.replace(boxes.lock)
        _, told = run.communicate(timeout=30)
    assert run.returncode == 4
    assert "is held by up by eve@box, pid 7" in told
    assert boxes.farm.received("node002") == []
    assert "eve" in boxes.lock.read_text(), "what is another's is not given back"


def test_it_is_given_back_after_a_failure_and_ctrl_c(boxes: Boxes) -> None:
    (boxes.farm.directory / "fail.sh").write_text("exit 3\n")
    boxes[0]("runscriptonall", f"{boxes.farm.directory}/fail.sh", code=1)
    assert not boxes.lock.exists()
    with running(boxes.places[0], "--nodes", "node002", "runscriptonall", str(boxes.script)) as run:
        boxes.await_begin("node002")
        assert boxes.lock.exists()
        run.send_signal(signal.SIGINT)
        assert run.wait(30) == 130
    assert not boxes.lock.exists()


def locking(farm: Farm) -> list[str]:
    return [one.host for one in farm.received() if "/var/lib/dlws/lock" in one.command]


def test_two_round_trips_and_none_where_nothing_is_changed(boxes: Boxes) -> None:
    boxes[0]("execonall", "true")
    boxes[0]("--dry-run", "copytoall", "/etc/hostname", "/tmp/x")
    boxes[0]("up", "onpremise", "--only", "build")
    assert locking(boxes.farm) == []
    boxes.open()
    boxes[0]("--nodes", "node[002-003]", "runscriptonall", str(boxes.script))
    assert locking(boxes.farm) == ["node001", "node001"]


@pytest.mark.parametrize("fault", ["refused", "sudo", "auth"])
def test_without_the_first_infra_node_it_says_so_and_goes_on(
    start_farm: StartFarm, fault: str
) -> None:
    boxes = Boxes(start_farm(3, faults={1: fault}))
    boxes.open()
    told = boxes[0]("--nodes", "worker", "runscriptonall", str(boxes.script)).stderr
    assert boxes.did() == {"did-node002": "x\n", "did-node003": "x\n"}
    assert len([line for line in told.splitlines() if "no lock on node001" in line]) == 1
