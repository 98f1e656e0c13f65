"""The lock on the first infra node: copies of one cluster's directory against each other."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from benchmarks.cluster import directory
from dlws.config import from_text
from dlws.core.connection import KEEP, Echo, Local, Result, Stdin
from dlws.core.errors import DeployError
from dlws.nodes import nodelock
from dlws.nodes.node import Login, Node
from dlws.sandbox import faults
from dlws.shell.quoting import sh
from tests.conftest import Deploy
from tests.farm import Farm
from tests.farm.fixtures import StartFarm, farm, start_farm
from tests.private import possible, with_state
from tests.sandboxes import Made, MakeSandbox
from tests.support.invocations import unrecorded

__all__ = ["farm", "start_farm"]
pytestmark = pytest.mark.skipif(not possible(), reason="a /var/lib/dlws of its own takes root")
ROOT = Path(__file__).parent.parent
# The program as it is, but for a heart that beats faster than a test has patience.
QUICK = """import sys
from dlws.nodes import nodelock
from dlws.cli import main
from tests.support.invocations import unrecorded
nodelock.BEAT = 0.2
sys.argv[0] = "deploy.py"
main()"""
SETTINGS = "  connect_timeout: 1.5\n  keepalive: 0.5\n"


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        threading.Event().wait(0.05)


@contextmanager
def running(place: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A run in the background, that must end within the block."""
    line = [sys.executable, "-c", QUICK, "--dir", str(place), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Boxes:
    """Several devboxes' directories of one cluster on a farm, and a script that waits there."""

    def __init__(self, farm: Farm, number: int = 2) -> None:
        self.farm, self.lock = farm, farm.state / "lock"
        first = directory(farm, settings=SETTINGS)
        self.places = [first, *(farm.directory / f"copy{n}" for n in range(1, number))]
        for place in self.places[1:]:
            shutil.copytree(first, place)
        self.script = farm.directory / "wait.sh"
        # The end without a gate is for the test that failed: nothing may be left running.
        self.script.write_text(
            f'echo x >>{farm.directory}/did-"$DLWS_NODE"\nfor i in $(seq 1200); do\n'
            f"  [ ! -e {farm.directory}/gate ] || exit 0; sleep 0.05\ndone; exit 1\n"
        )

    def __getitem__(self, number: int) -> Deploy:
        return Deploy(self.places[number])

    def did(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.farm.directory.glob("did-*")}

    def open(self) -> None:
        (self.farm.directory / "gate").touch()

    def await_begin(self, node: str = "node001") -> None:
        wait_until((self.farm.directory / f"did-{node}").exists)

    def kill_one(self) -> None:
        """Leave the lock of a run that was killed."""
        with running(self.places[0], "--nodes", "node001", "runscriptonall", str(self.script)) as p:
            self.await_begin()
            p.send_signal(signal.SIGKILL)
            p.wait()
        assert self.lock.exists()


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


class Inside(Local):
    """Runs commands here, with a /var/lib/dlws of their own."""

    def __init__(self, state: Path) -> None:
        self._state = state

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        line, place = with_state(self._state, "sh", "-c", command)
        assert place == self._state
        return super().run(sh(*line), stdin, echo, keep)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    return Node(
        config.machines["i1"], "10.0.0.1", Inside(tmp_path / "state"), Login(), unrecorded()
    )


class New(Local):
    """Runs commands here, with a /var/lib of their own where another makes dlws in between."""

    def __init__(self, place: Path) -> None:
        self._place = place
        (place / "lib").mkdir()
        shutil.copy("/bin/mkdir", place / "own")
        (place / "mkdir").write_text(f'#!/bin/sh\n{place}/own "$@"; exec {place}/own "$@"\n')
        (place / "mkdir").chmod(0o755)

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        inside = 'mount --bind "$1/lib" /var/lib && mount --bind "$1/mkdir" /bin/mkdir'
        inside += ' && exec sh -c "$2"'
        words = ("unshare", "-m", "sh", "-c", inside, "sh", str(self._place), command)
        return super().run(sh(*words), stdin, echo, keep)


def test_a_place_that_another_makes_meanwhile_does_as_well(tmp_path: Path) -> None:
    config = from_text("cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n")
    node = Node(config.machines["i1"], "10.0.0.1", New(tmp_path), Login(), unrecorded())
    assert nodelock.ask(node, "show").verdict == "none"
    assert not (tmp_path / "lib/dlws").exists()
    assert nodelock.ask(node, "take", "aa", "here", who("aa", "here")).verdict == "taken"
    assert (tmp_path / "lib/dlws").stat().st_mode & 0o777 == 0o755
    assert nodelock.ask(node, "show").token == "aa"


def who(token: str, directory: str = "") -> dict[str, object]:
    about = {"user": "eve", "host": "box", "pid": 7, "command": "up"}
    return {**about, "token": token, "directory": directory}


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
