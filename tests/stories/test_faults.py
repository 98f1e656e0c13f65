"""Twenty machines, some of them ill: the healthy ones finish, each fault has its name."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.farm.fixtures import StartFarm

QUICK = "  connect_timeout: 1.5\n  banner_timeout: 1.5\n  auth_timeout: 3\n  keepalive: 0.5\n"

PATIENT = "  connect_timeout: 6\n  banner_timeout: 6\n  auth_timeout: 60\n"
"""For what healthy machines do, too: on a busy one they need their time."""

FAULTS = {3: "dead", 7: "dead", 11: "banner", 13: "host-key", 17: "sudo"}

HEALTHY = [f"node{n:03}" for n in range(1, 21) if n not in FAULTS]


def on(farm: Farm, settings: str = QUICK) -> Deploy:
    return Deploy(directory(farm, settings=settings))


@pytest.fixture
def ill(start_farm: StartFarm) -> Farm:
    return start_farm(20, faults=FAULTS)


def test_fifteen_of_twenty_finish_and_every_fault_is_named(ill: Farm) -> None:
    deploy = on(ill, f"{PATIENT}  sudo_password: farm's\n")
    done = deploy("--sudo", "execonall", "touch ran; echo done", code=3)
    assert sorted(done.stdout.split()[::2]) == [f"{name}:" for name in HEALTHY]
    assert [name for name in HEALTHY if (ill.home(name) / "ran").exists()] == HEALTHY
    told = done.stderr
    assert "failed on 5 of 20 nodes" in told
    assert (
        "2 nodes: node[003,007]: it does not answer\n"
        "    cure: is it switched on, and is the address right?" in told
    )
    assert "1 node: node011: it takes connections, but does not answer as an SSH server" in told
    assert re.search(
        r"1 node: node013: host key changed: .*\n    cure: .*hosts trust node013", told
    )
    assert re.search(
        r"1 node: node017: sudo refuses dlws: .*\n    cure: set ssh.sudo_password", told
    )


def test_a_machine_with_another_key_is_sent_nothing(ill: Farm) -> None:
    deploy = on(ill, f"{QUICK}  password: secret\n  sudo_password: secret\n")
    deploy("execonall", "sudo", "true", "x", code=3)
    assert ill.received("node013") == []
    assert {one.user for one in ill.received()} == {"dlws"}


def test_the_printed_retry_line_reaches_just_those(start_farm: StartFarm) -> None:
    farm = start_farm(5, faults={2: "exit", 3: "exit", 5: "exit"})
    done = on(farm)("--parallel", "2", "execonall", "echo", "a b", "$(x)", code=3)
    assert "3 nodes: node[002-003,005]: exit 7 from: echo" in done.stderr
    line = done.stderr.split("retry just those: ")[1].splitlines()[0]
    before = len(farm.received())
    words = shlex.split(line)
    again = subprocess.run(
        [sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert again.returncode == 1, again.stderr
    tried = farm.received()[before:]
    assert sorted(one.host for one in tried) == ["node002", "node003", "node005"]
    assert {one.command for one in tried} == {"echo 'a b' '$(x)'"}
    assert line in again.stderr or shlex.split(line) == shlex.split(
        again.stderr.split("retry just those: ")[1].splitlines()[0]
    )


@pytest.mark.parametrize(("fault", "said"), [
    ("refused", "it refuses connections on port"),
    ("mute", "it takes connections, but does not answer as an SSH server within 1.5 s"),
    ("auth", "it does not let dlws in"),
    ("drop-command", "the connection was lost while a command ran"),
    ("no-answer", "the connection was lost while a command ran"),
])  # fmt: skip
def test_each_fault_has_its_name_and_cure(start_farm: StartFarm, fault: str, said: str) -> None:
    farm = start_farm(2, faults={2: fault})
    done = on(farm)("execonall", "uptime", code=3)
    assert f"1 node: node002: {said}" in done.stderr
    assert "cure:" in done.stderr.split("node002")[1].split("retry")[0]
    assert "node001:" in done.stdout


def test_an_upload_that_breaks_off_is_lost(start_farm: StartFarm, tmp_path: Path) -> None:
    farm = start_farm(2, "fake", faults={2: "drop-upload"})
    (tmp_path / "big").write_bytes(b"#!/bin/sh\n#" + b"x" * 3_000_000)
    done = on(farm)("runscriptonall", str(tmp_path / "big"), code=3)
    assert "node002: the connection was lost" in done.stderr


def test_output_that_is_no_text_and_100_megabytes_of_it(start_farm: StartFarm) -> None:
    farm = start_farm(3, "fake", faults={2: "binary", 3: "flood"})
    done = on(farm)("execonall", "uptime")
    assert "node002: caf\\xe9 \\xff\\xfe\x00 end" in done.stdout  # its bytes, as they were
    assert done.stdout.count("\nnode003:") >= 999_000


def test_one_at_a_time(start_farm: StartFarm) -> None:
    farm = start_farm(4)
    log = farm.directory / "log"
    line = f"echo begin >>{log}; sleep 0.2; echo end >>{log}"
    on(farm)("--parallel", "1", "execonall", line)
    assert log.read_text().split() == ["begin", "end"] * 4
    log.unlink()
    Deploy(farm.directory / "cluster4")("--parallel", "4", "execonall", line)
    assert log.read_text().split() != ["begin", "end"] * 4


def test_login_by_password_alone(farm: Farm) -> None:
    deploy = on(farm, f"{QUICK}  password: {json.dumps(farm.password)}\n")
    for key in (deploy.directory / "deploy/sshkey").glob("id_*"):
        key.unlink()
    assert deploy("execonall", "echo", "in").stdout.count("in\n") == 4
