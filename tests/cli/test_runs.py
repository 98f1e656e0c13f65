"""Runs, resume, locks and hooks, as a person uses them."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dlws.runs.journal import new_id
from dlws.runs.records import NAME
from tests.conftest import Deploy

PROGRAM = Path(__file__).parent.parent.parent / "deploy.py"


def wait_for(path: Path) -> None:
    for _ in range(600):
        if path.exists():
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{path} did not appear")


def killed(deploy: Deploy, begun: Path, *words: str) -> None:
    """Start a run, and kill it as soon as a file appears."""
    line = [sys.executable, str(PROGRAM), "--dir", str(deploy.directory), *words]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(begun)
        process.send_signal(signal.SIGKILL)


@pytest.fixture
def counting(tmp_path: Path) -> Path:
    """A script that appends a line for its node, then waits for a gate to open."""
    path = tmp_path / "count.sh"
    path.write_text(
        f'echo x >>{tmp_path}/did-"$DLWS_NODE"\n'
        f"while [ ! -e {tmp_path}/gate ]; do sleep 0.05; done\n"
        f'echo "$DLWS_NODE is done"\n'
    )
    return path


def effects(place: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(place.glob("did-*"))}


def test_after_a_kill_in_mid_command_resume_does_nothing_twice(
    deploy: Deploy, counting: Path, tmp_path: Path
) -> None:
    nodes = ("--parallel", "2", "--nodes", "w[1-3]")
    killed(deploy, tmp_path / "did-w1", *nodes, "runscriptonall", str(counting))
    assert "interrupted" in deploy("runs", "list").stdout
    (tmp_path / "gate").touch()
    done = deploy("resume")
    assert effects(tmp_path) == {"did-w1": "x\n", "did-w2": "x\n", "did-w3": "x\n"}
    assert "w1 is done" in done.stdout
    assert "ok" in deploy("runs", "list").stdout
    assert "nothing to resume" in deploy("resume", code=2).stderr


def test_a_failed_node_is_tried_again_and_the_others_left_alone(
    deploy: Deploy, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        f'echo x >>{tmp_path}/did-"$DLWS_NODE"\n'
        f'[ "$DLWS_NODE" != w2 ] || [ -e {tmp_path}/mended ] || {{ echo broken >&2; exit 9; }}\n'
    )
    deploy("runscriptonall", str(script), code=3)
    assert "exit 9" in deploy("runs", "why", "w2").stdout
    assert "did not fail" in deploy("runs", "why", "w1").stdout
    (tmp_path / "mended").touch()
    deploy("resume")
    assert effects(tmp_path) == {
        "did-infra1": "x\n", "did-w1": "x\n", "did-w2": "x\nx\n", "did-w3": "x\n",
    }  # fmt: skip


def test_retry_failed_reaches_only_those_that_failed(deploy: Deploy, tmp_path: Path) -> None:
    line = f'case $SSH_CONNECTION in *127.0.0.2" "*) [ -e {tmp_path}/mended ];; esac'
    deploy("execonall", line, code=3)
    (tmp_path / "mended").touch()
    assert deploy("--retry-failed", "execonall", "echo again").stdout == "w1:     again\n"
    assert "no node failed" in deploy("--retry-failed", "execonall", "true", code=2).stderr


def test_a_command_of_ones_own_is_not_resumed(deploy: Deploy) -> None:
    deploy("execonall", "false", code=1)
    told = deploy("resume", code=2).stderr
    assert "execonall is not resumed" in told
    assert "--retry-failed" in told


def test_a_changed_configuration_is_not_resumed_unless_forced(
    deploy: Deploy, tmp_path: Path
) -> None:
    (tmp_path / "fail.sh").write_text(f"[ -e {tmp_path}/mended ]\n")
    deploy("runscriptonall", f"{tmp_path}/fail.sh", code=1)
    with (tmp_path / "config.yaml").open("a") as file:
        file.write("# another line\n")
    (tmp_path / "mended").touch()
    assert "has changed" in deploy("resume", code=4).stderr
    deploy("--force", "resume")


def test_records_are_for_their_owner_and_in_order(deploy: Deploy) -> None:
    deploy("--nodes", "w1", "execonall", "echo hello; exit 4", code=1)
    (run,) = (deploy.directory / "deploy/runs").iterdir()
    assert {path.name for path in run.iterdir()} == {"journal.jsonl", "w1.log"}
    assert {path.stat().st_mode & 0o777 for path in run.iterdir()} == {0o600}
    assert (run / "w1.log").read_text() == "hello\n"
    shown = json.loads(deploy("runs", "show", "--output", "json").stdout)
    assert [record["kind"] for record in shown] == ["run", "begin", "done", "failed", "end"]
    assert shown[2]["code"] == 4
    assert deploy("runs", "tail", "w1").stdout.strip() == "hello"


def test_a_torn_record_is_left_out(deploy: Deploy) -> None:
    deploy("--nodes", "w1", "execonall", "true")
    (run,) = (deploy.directory / "deploy/runs").iterdir()
    with (run / "journal.jsonl").open("a") as file:
        file.write('{"kind": "do')
    assert "execonall" in deploy("runs", "list").stdout


def test_what_only_reads_leaves_no_record(deploy: Deploy) -> None:
    deploy("--dry-run", "execonall", "true")
    deploy("runs", "list")
    assert not (deploy.directory / "deploy/runs").exists()


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


def test_hooks_run_around_steps_with_their_context(deploy: Deploy) -> None:
    hooks = deploy.directory / "hooks"
    hooks.mkdir()
    for name in ("before-build", "after-build", "on-failure"):
        (hooks / name).write_text('#!/bin/sh\necho "$DLWS_HOOK $DLWS_STEP" >>hooks.log; env >env\n')
        (hooks / name).chmod(0o755)
    deploy("up", "onpremise", "--only", "build")
    assert (deploy.directory / "hooks.log").read_text() == "before-build build\nafter-build build\n"
    told = dict(line.split("=", 1) for line in (deploy.directory / "env").read_text().splitlines())
    (records,) = (deploy.directory / "deploy/runs").iterdir()
    assert (told["DLWS_RUN"], told["DLWS_RECORDS"]) == (records.name, str(records))
    assert told["DLWS_CLUSTER"] == "test" and "up onpremise --only build" in told["DLWS_COMMAND"]
    (hooks / "after-build").write_text("#!/bin/sh\nexit 3\n")
    said = deploy("up", "onpremise", "--only", "build", code=1).stderr
    assert "the hook after-build ended with 3" in said
    assert "on-failure build" in (deploy.directory / "hooks.log").read_text()


def test_a_hook_that_cannot_run_stops_its_step(deploy: Deploy) -> None:
    (deploy.directory / "hooks").mkdir()
    (deploy.directory / "hooks/before-build").write_text("#!/bin/sh\n")
    assert "chmod +x" in deploy("up", "onpremise", "--only", "build", code=1).stderr
    assert not (deploy.directory / "deploy/clusterID.yml").exists()


def test_up_resumes_after_its_finished_steps(deploy: Deploy) -> None:
    hooks = deploy.directory / "hooks"
    hooks.mkdir()
    (hooks / "before-sshkey").write_text("#!/bin/sh\n[ -e mended ]\n")
    (hooks / "before-sshkey").chmod(0o755)
    deploy("up", "onpremise", "--only", "build", "--only", "sshkey", code=1)
    (deploy.directory / "mended").touch()
    (deploy.directory / "deploy/clusterID.yml").unlink()
    told = deploy("resume").stderr
    assert "done before, in this run" in told
    assert not (deploy.directory / "deploy/clusterID.yml").exists()


def test_the_ids_of_runs_sort_as_they_began_within_a_second_too() -> None:
    words = [f"w{n}" for n in range(1, 4)]
    ids = {word: new_id(1_000_000_000 + n / 10) for n, word in enumerate(words)}
    assert sorted(words, key=ids.__getitem__) == words
    assert len({ids[word][:15] for word in words}) == 1


def test_a_copy_that_fails_before_its_first_change_can_be_retried(deploy: Deploy) -> None:
    (deploy.directory / "source").write_text("content\n")
    placed = deploy.directory / "placed"
    deploy("--nodes", "w1", "execonall", "false", code=1)
    config = deploy.directory / "config.yaml"
    text = config.read_text()
    config.write_text(text.replace("127.0.0.3", "127.0.0.200"))  # w2: nothing listens there
    copy = ("copytoall", str(deploy.directory / "source"), str(placed))
    deploy("--nodes", "w2", *copy, code=1)
    config.write_text(text)
    deploy("--retry-failed", *copy)
    last = json.loads(deploy("runs", "list", "--output", "json").stdout)[-1]
    assert list(last["nodes"]) == ["w2"]
    assert placed.read_text() == "content\n"


def test_a_damaged_run_hides_no_other_and_is_not_resumed(deploy: Deploy) -> None:
    deploy("--nodes", "w1", "execonall", "true")
    first = next((deploy.directory / "deploy/runs").iterdir())
    damaged = first.with_name("99999999-000000-0000")
    damaged.mkdir()
    (damaged / NAME).write_text("no record\n")
    done = deploy("runs", "list", code=2)
    assert first.name in done.stdout and str(damaged) in done.stderr
    assert str(damaged) in deploy("resume", code=2).stderr
    with (first / NAME).open("a") as file:
        file.write("nonsense\n")
    assert "left out, not to be read: line 6" in deploy("runs", "show", first.name).stderr
