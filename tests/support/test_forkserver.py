from __future__ import annotations

import json
import os
import pty
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support import ROOT, forkserver

CONFIG = "cluster_name: c\nmachines: {infra1: {role: infrastructure, private-ip: 127.77.0.9}}\n"

COMPLETION = {"_DEPLOY_PY_COMPLETE": "bash_complete"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return tmp_path


def started(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, ROOT / "deploy.py", *words], input=stdin, text=True, capture_output=True,
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip


def forked(*words: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return forkserver.run(words, stdin, {**os.environ, **environment}, seconds=600)


@pytest.mark.parametrize(
    ("words", "environment"),
    [
        ("--help", {}),
        ("steps", {"COLUMNS": "50"}),
        ("no-such-command", {}),
        ("--dir PLACE --no-such-option", {}),
        ("--dir PLACE checkconfig", {}),
        ("--dir PLACE/nowhere checkconfig", {}),
        ("--dir PLACE --output json config show", {}),
        ("--dir PLACE execonall true", {}),
        ("", {**COMPLETION, "COMP_WORDS": "deploy.py run", "COMP_CWORD": "1"}),
        ("--help", {"LC_ALL": "C"}),
    ],
)  # fmt: skip
def test_it_is_as_a_program_that_was_started(
    place: Path, words: str, environment: dict[str, str]
) -> None:
    line = words.replace("PLACE", str(place)).split()
    theirs, ours = started(*line, **environment), forked(*line, **environment)
    assert (ours.returncode, ours.stdout, ours.stderr) == (
        theirs.returncode, theirs.stdout, theirs.stderr,
    )  # fmt: skip


def test_it_reads_standard_input_and_knows_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    for run in (started, forked):
        place = tmp_path / run.__name__
        place.mkdir()
        monkeypatch.chdir(place)
        done = run("init", stdin="here\n" + "\n" * 99)
        said.append((done.returncode, done.stdout, done.stderr.replace(run.__name__, "")))
    assert said[0] == said[1]


def test_it_makes_files_as_a_program_would(place: Path, open_umask: None) -> None:
    for number, run in enumerate((started, forked)):
        directory = place / str(number)
        directory.mkdir()
        (directory / "config.yaml").write_text(CONFIG)
        assert run("--dir", str(directory), "build").returncode == 0
    modes = [
        {path.relative_to(top): oct(path.stat().st_mode) for path in top.rglob("*")}
        for top in (place / "0", place / "1")
    ]
    assert len(modes[0]) > 3
    kept = [{path: mode for path, mode in one.items() if "runs" not in path.parts} for one in modes]
    assert kept[0] == kept[1]


def test_one_that_does_not_end_is_killed(place: Path) -> None:
    """It waits for an SSH server that says nothing."""
    forked("--help")  # the process that forks is there
    with socket.create_server(("127.0.0.1", 0)) as server:
        settings = f"ssh: {{port: {server.getsockname()[1]}, connect_timeout: 300}}\n"
        (place / "config.yaml").write_text(CONFIG.replace("127.77.0.9", "127.0.0.1") + settings)
        line = ["--dir", str(place), "execonall", "true"]
        with pytest.raises(subprocess.TimeoutExpired):
            forkserver.run(line, "", os.environ, seconds=10)
        server.settimeout(1)
        connection, _ = server.accept()
        with connection, suppress(ConnectionResetError):
            connection.settimeout(30)
            while connection.recv(999):  # until it has gone
                pass


def test_on_a_terminal_it_asks_and_ends_with_who_asked(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    words = ["--dir", str(tmp_path), "init"]
    program = forkserver.on_a_terminal(theirs, words, {**os.environ, "TERM": "dumb"})
    os.close(theirs)
    assert b"cluster" in os.read(ours, 4096)  # it asks, as on a terminal alone, and waits
    program.kill()
    with pytest.raises(OSError, match="Input/output"):  # nobody has the terminal any more
        while os.read(ours, 4096):
            pass
    os.close(ours)


@pytest.mark.farm
def test_a_program_of_ours_ends_with_its_input(tmp_path: Path) -> None:
    words = ["--hosts", 1, "--mode", "fake", "--directory", tmp_path]
    program = forkserver.start("tests.support.farm.__main__", words)
    assert program.stdout.readline() == b"ready\n"
    port = json.loads((tmp_path / "farm.json").read_text())["hosts"][0]["port"]
    socket.create_connection(("127.77.0.1", port)).close()
    program.end()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.77.0.1", port))
