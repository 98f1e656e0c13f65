"""What nodes print reaches a terminal as text and colours only, whatever they print."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.deploy import Deploy
from tests.support.farm.cluster import directory
from tests.support.farm.faults import ESCAPES
from tests.support.farm.fixtures import StartFarm
from tests.support.program import DEPLOY
from tests.support.terminals import REDRAWN, deploy_on_a_terminal, told

WORDS = ESCAPES.decode(errors="surrogateescape")


def screen(place: Path, *words: str, code: int | None = None, **more: Any) -> str:
    assert REDRAWN not in WORDS
    return told(deploy_on_a_terminal(place, *words, code=code, **more))


@pytest.fixture
def hostile(start_farm: StartFarm) -> Path:
    """A cluster of which one node answers everything with every control sequence there is."""
    return directory(start_farm(3, "fake", {3: "escapes"}))


def test_live_output_of_a_healthy_command(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(2)
    (tmp_path / "noise").write_bytes(ESCAPES)
    place, line = directory(farm), f"cat {tmp_path}/noise; cat {tmp_path}/noise >&2"
    for words in (("-v", "execonall"), ("execonall",)):
        said = screen(place, *words, line, code=0)
        assert "^[]52;c;aGk=^G" in said and "\x1b[31mred\x1b[1;38;2;9;9;9mopen\x1b[0m\n" in said
        assert "plain \\xc2\n" in said and "\\u009b2J" in said and "\\x9b" in said


@pytest.mark.parametrize("words", [
    ("-v", "execonall", "true"),
    ("execonall", "true"),
    ("doonall", "true"),
    ("copytoall", __file__, "/tmp/x"),
    ("runscriptonall", "job.sh"),
    ("status",),
    ("status", "--output", "json"),
    ("check",),
    ("check", "--output", "json"),
    ("verify",),
    ("verify", "--output", "json"),
    ("--dry-run", "runscriptonall", "install_kubeadm.sh"),
    ("sshkey", "install"),
    ("hosts", "trust"),
])  # fmt: skip
def test_errors_and_tables(hostile: Path, words: tuple[str, ...]) -> None:
    (hostile / "job.sh").write_text("echo fine\n")
    (hostile / "deploy/sshkey/rootpasswd").write_text("secret")
    place = [str(hostile / word) if word == "job.sh" else word for word in words]
    assert screen(hostile, *place)


def test_what_is_on_record(hostile: Path) -> None:
    screen(hostile, "execonall", "true", code=3)
    assert "^[" in screen(hostile, "runs", "tail", "node003", code=0)
    assert "node003" in screen(hostile, "runs", "show", code=0)
    assert "exit 1" in screen(hostile, "runs", "why", "node003", code=0)
    assert "node003" in screen(hostile, "runs", "list", code=0)
    assert "<html" in screen(hostile, "runs", "report", code=0)
    assert "<testsuite" in screen(hostile, "runs", "report", "--junit", code=0)


def test_the_page_of_a_run_holds_no_control_characters(hostile: Path) -> None:
    deploy = Deploy(hostile)
    deploy("execonall", "true", code=3)
    page = deploy("runs", "report").stdout
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", page)


def test_the_lock_that_a_node_tells_of(start_farm: StartFarm, tmp_path: Path) -> None:
    who = {"token": "1", "pid": 1, "command": WORDS, "host": WORDS, "user": WORDS, "run": WORDS}
    table = tmp_path / "answers.json"
    held = f"held\n1000 1000\n{json.dumps(who)}\n900"
    table.write_text(json.dumps([{"match": "lock=/var/lib/dlws/lock", "out": held}]))
    place = directory(start_farm(1, "fake", answers=table))
    for words, code in (
        (("lock", "status"), 0),
        (("lock", "break"), 4),
        (("runscriptonall", "dns.sh"), 4),
    ):
        assert "^[]52;c;aGk=^G" in screen(place, *words, typed=b"no\n", code=code)


def test_a_pipe_and_the_log_get_the_bytes(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(1)
    noise = ESCAPES.replace(b"\r", b"")  # lines are told apart by it
    (tmp_path / "noise").write_bytes(noise)
    place = directory(farm)
    line = [*DEPLOY, "--dir", str(place), "execonall", f"cat {tmp_path}/noise"]
    said = subprocess.run(line, stdout=subprocess.PIPE, check=True).stdout
    assert said.replace(b"node001: ", b"") == noise + b"\n"
    assert [path.read_bytes() for path in place.glob("deploy/runs/*/*.log")] == [noise]


def test_what_a_server_says_before_anyone_logs_in(start_farm: StartFarm) -> None:
    place = directory(start_farm(1, "fake", {1: "banner"}), settings="  banner_timeout: 1\n")
    assert "node001" in screen(place, "execonall", "true", code=1)
