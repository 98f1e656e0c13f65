from __future__ import annotations

import json
import os
from datetime import datetime, timezone
from pathlib import Path

import pytest

from dlws.runs.records import NAME
from tests.support.deploy import Deploy


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


def wrote(deploy: Deploy, *argv: str, cwd: Path) -> Path:
    """A made-up record of a run that was cut off."""
    place = deploy.directory / "deploy/runs/20991231-000000-0000"
    place.mkdir(parents=True, exist_ok=True)
    began = datetime.now(timezone.utc).isoformat()
    first = {"kind": "run", "time": began, "id": place.name, "argv": ["deploy.py", *argv]}
    (place / NAME).write_text(
        json.dumps({**first, "command": "", "cwd": str(cwd), "config": ""}) + "\n"
    )
    return place


def test_a_recorded_line_is_run_in_its_own_directory_alone(
    deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It made id and key in whatever directory it named."""
    other, inside = tmp_path.with_name(f"{tmp_path.name}-other"), tmp_path / "inside"
    other.mkdir()
    inside.mkdir()
    (other / "config.yaml").write_text((deploy.directory / "config.yaml").read_text())
    here = str(deploy.directory)
    for argv, cwd, why in (
        (("--dir", str(other), "build"), other, f"is of the directory {other}, not of {here}"),
        (("build", f"--dir={other}"), tmp_path, f"is of the directory {other}, not of {here}"),
        (("build",), other, f"is of the directory {other}, not of {here}"),
        (("--dir", "../..", "build"), inside, f"is of the directory {tmp_path.parent}"),
        (("--dir", here, "--dir", str(other), "build"), tmp_path, "is of the directory"),
        (("--dir", here, "build"), other, f"was started in {other}, outside the cluster's"),
    ):
        wrote(deploy, *argv, cwd=cwd)
        done = deploy("resume", code=4)
        assert why in done.stderr and "cure: " in done.stderr
        assert not (other / "deploy").exists() and not (tmp_path / "deploy/clusterID.yml").exists()
    monkeypatch.chdir(other)  # whoever is where it was started has not been sent there
    deploy("resume")
    assert (tmp_path / "deploy/clusterID.yml").exists() and not (other / "deploy").exists()
    wrote(deploy, "--dir", "..", "build", cwd=inside)
    deploy("resume")


@pytest.mark.parametrize("which", ["run", "journal"])
def test_a_record_that_others_may_have_written_is_not_run(deploy: Deploy, which: str) -> None:
    place = wrote(deploy, "build", cwd=deploy.directory)
    path = place if which == "run" else place / NAME
    path.chmod(path.stat().st_mode | 0o020)
    done = deploy("resume", code=4)
    assert f"{path} can be written by others" in done.stderr and f"chmod go-w {path}" in done.stderr
    path.chmod(path.stat().st_mode & ~0o022)
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        assert f"{path} is another user's" in deploy("resume", code=4).stderr
        os.chown(path, 0, 0)
    deploy("resume")


def test_a_name_that_was_typed_once_is_typed_again(deploy: Deploy) -> None:
    wrote(deploy, "kubeadm", "reset", "--yes-reset", "test", cwd=deploy.directory)
    done = deploy("resume", code=4)
    assert "the cluster's name is test; nothing was changed" in done.stderr


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
