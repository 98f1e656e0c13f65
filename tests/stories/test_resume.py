"""What resume rests on: settled operations, whole records, uploads that leave nothing half done."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlws.runs.records import NAME
from tests.support.deploy import Deploy
from tests.support.killing import PROGRAM, effects, killed


def test_a_run_that_cannot_be_recorded_stops_and_is_resumed(
    deploy: Deploy, small: Path, tmp_path: Path
) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        f"echo x >>{tmp_path}/did-\"$DLWS_NODE\"\nhead -c 70000 /dev/zero | tr '\\0' a; true\n"
    )
    runs = deploy.directory / "deploy/runs"
    runs.mkdir(parents=True)
    subprocess.run(["mount", "--bind", small, runs], check=True)
    try:
        told = deploy("--parallel", "1", "runscriptonall", str(script), code=1).stderr
        assert "No space left on device: what cannot be recorded is not done" in told
        assert "cure: make room" in told
        assert effects(tmp_path) == {"did-infra1": "x\n"}
        subprocess.run(["mount", "-o", "remount,size=2m", small], check=True)
        deploy("resume")
        assert set(effects(tmp_path).values()) == {"x\n"}
        assert len(effects(tmp_path)) == 4
    finally:
        subprocess.run(["umount", "-l", runs], check=True)


@pytest.fixture
def edited(tmp_path: Path) -> Path:
    """A script that says when it begins and ends; its text is not the same in the next run."""
    path = tmp_path / "job.sh"
    path.write_text(
        f"echo begin >>{tmp_path}/log\n"
        f"while [ ! -e {tmp_path}/gate ]; do sleep 0.05; done\nsleep 0.5\n"
        f"echo end >>{tmp_path}/log\n"
    )
    return path


def test_what_still_runs_is_over_before_anything_else_is_asked(
    deploy: Deploy, edited: Path, tmp_path: Path
) -> None:
    killed(deploy, tmp_path / "log", "--nodes", "w1", "runscriptonall", str(edited))
    edited.write_text(f"echo other >>{tmp_path}/log\n")
    line = [sys.executable, str(PROGRAM), "--dir", str(deploy.directory), "resume"]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        for said in process.stderr:
            if "waiting for what still runs: run job.sh" in said:
                break
        (tmp_path / "gate").touch()
        process.communicate()
    assert process.returncode == 0
    assert (tmp_path / "log").read_text().split() == ["begin", "end", "other"]


def test_two_resumes_at_once_are_one(deploy: Deploy, edited: Path, tmp_path: Path) -> None:
    killed(deploy, tmp_path / "log", "--nodes", "w1", "runscriptonall", str(edited))
    line = [
        sys.executable,
        str(PROGRAM),
        "--dir",
        str(deploy.directory),
        "--lock-wait=20",
        "resume",
    ]
    with subprocess.Popen([*line[:-2], "resume"], stderr=subprocess.PIPE, text=True) as first:
        assert first.stderr
        for said in first.stderr:
            if "waiting for what still runs" in said:
                break
        assert "another run changes this cluster" in deploy("resume", code=4).stderr
        with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as second:
            assert second.stderr
            assert "resuming" in second.stderr.readline()
            (tmp_path / "gate").touch()
            first.communicate()
            told = second.communicate()[1]
    assert first.returncode == 0
    assert second.returncode == 2
    assert "there is nothing to resume" in told
    assert (tmp_path / "log").read_text().split() == ["begin", "end"]


def test_resume_takes_its_own_options_along(deploy: Deploy, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(f"[ -e {tmp_path}/mended ] && touch {tmp_path}/effect\n")
    deploy("--nodes", "w1", "runscriptonall", str(script), code=1)
    (tmp_path / "mended").touch()
    before = (next((deploy.directory / "deploy/runs").iterdir()) / NAME).read_bytes()
    deploy("--dry-run", "resume")
    assert not (tmp_path / "effect").exists()
    assert (next((deploy.directory / "deploy/runs").iterdir()) / NAME).read_bytes() == before
    assert "takes no --nodes" in deploy("--nodes", "w2", "resume", code=2).stderr
    deploy("resume")
    assert (tmp_path / "effect").exists()


def test_a_resumed_run_may_fail_and_be_resumed_again(deploy: Deploy, tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(
        f'echo x >>{tmp_path}/did-"$DLWS_NODE"\n'
        f'[ "$DLWS_NODE" != w2 ] || [ -e {tmp_path}/mended ]\n'
    )
    deploy("--nodes", "w[1-2]", "runscriptonall", str(script), code=3)
    deploy("resume", code=3)
    (tmp_path / "mended").touch()
    deploy("resume")
    assert effects(tmp_path) == {"did-w1": "x\n", "did-w2": "x\nx\nx\n"}
    assert len(list((deploy.directory / "deploy/runs").iterdir())) == 1


def test_resume_is_where_the_run_was(
    deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "there"
    place.mkdir()
    (place / "job.sh").write_text(f"[ -e {tmp_path}/mended ] && echo x >>{tmp_path}/did\n")
    monkeypatch.chdir(place)
    deploy("--nodes", "w1", "runscriptonall", "./job.sh", code=1)
    (tmp_path / "mended").touch()
    monkeypatch.chdir("/")
    deploy("resume")
    assert (tmp_path / "did").read_text() == "x\n"


def test_a_step_that_was_killed_before_it_did_anything_is_resumed(deploy: Deploy) -> None:
    (deploy.directory / "hooks").mkdir()
    hook = deploy.directory / "hooks/before-build"
    hook.write_text('#!/bin/sh\n[ -e mended ] || kill -9 $(cut -d" " -f4 /proc/$PPID/stat)\n')
    hook.chmod(0o755)
    deploy("up", "onpremise", "--only", "build", code=-signal.SIGKILL)
    (deploy.directory / "mended").touch()
    deploy("resume")
    assert (deploy.directory / "deploy/clusterID.yml").exists()


def test_a_run_without_its_first_record_is_none(deploy: Deploy) -> None:
    deploy("--nodes", "w1", "execonall", "true")
    empty = deploy.directory / "deploy/runs/99999999-000000-0000"
    empty.mkdir()
    (empty / NAME).write_text('{"kind": "ru')
    assert "execonall" in deploy("runs", "list").stdout
    assert empty.name not in deploy("runs", "list").stdout


def test_old_outcomes_are_not_relied_on(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "job.sh").write_text(f"[ -e {tmp_path}/mended ]\n")
    deploy("--nodes", "w1", "runscriptonall", f"{tmp_path}/job.sh", code=1)
    (tmp_path / "mended").touch()
    path = next((deploy.directory / "deploy/runs").iterdir()) / NAME
    first, rest = path.read_text().split("\n", 1)
    path.write_text(
        json.dumps({**json.loads(first), "time": "2020-01-01T00:00:00+00:00"}) + "\n" + rest
    )
    assert "more than 7 days ago" in deploy("resume", code=4).stderr
    deploy("--force", "resume")


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
