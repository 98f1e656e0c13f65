from __future__ import annotations

import json

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
