"""What resume rests on: settled operations, whole records, uploads that leave nothing half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.core.connection import Local, Result
from dlws.runs import history
from dlws.runs.appendlog import AppendLog, JournalUnwritable
from dlws.runs.console import Console
from dlws.runs.journal import Journal, now
from dlws.runs.options import Options
from dlws.runs.records import NAME, records
from dlws.runs.run import Run
from dlws.scripts import run as scripts
from dlws.secrets.redaction import Redactor
from dlws.shell import files, recorder
from dlws.shell.files import File
from dlws.shell.quoting import sh
from tests.cli.test_runs import PROGRAM, effects, killed, wait_for
from tests.conftest import Deploy
from tests.private import with_state
from tests.test_recorder import at, run

HEX = {name: f"{n:024x}" for n, name in enumerate(("ended", "died", "never", "runs"), 10)}


def settle(home: Path, *operations: str) -> list[recorder.OperationOutcome]:
    return recorder.outcomes(Local().run(at(home, recorder.waiting_line(operations, False))).text)


def test_settling_tells_the_ended_the_dead_and_the_never_begun(tmp_path: Path) -> None:
    run(tmp_path, HEX["ended"], "exit 3")
    dead = tmp_path / ".dlws/ops" / HEX["died"]
    dead.mkdir()
    (dead / "pid").write_text("1 1 another-boot\n")
    found = settle(tmp_path, HEX["ended"], HEX["died"], HEX["never"])
    assert [(one.code, one.how) for one in found] == [(3, "ended"), (None, "died"), (None, "never")]
    assert [one.done for one in found] == [False, False, False]


def test_a_command_that_comes_late_is_not_run(tmp_path: Path) -> None:
    settle(tmp_path, HEX["never"])
    late = run(tmp_path, HEX["never"], f"touch {sh(tmp_path / 'effect')}")
    assert late == Result(125, b"", b"dlws: withdrawn\n")
    assert recorder.not_kept(late)
    assert not (tmp_path / "effect").exists()


def test_settling_waits_for_what_runs_and_says_so_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    command = f"touch {sh(tmp_path / 'begun')}; cat {sh(tmp_path / 'gate')}; exit 4"
    thread = threading.Thread(target=run, args=(tmp_path, HEX["runs"], command))
    thread.start()
    wait_for(tmp_path / "begun")
    told: list[bytes] = []

    def hear(_: str, data: bytes) -> None:
        told.append(data)
        if len(told) == 1:  # some rounds later
            threading.Timer(0.7, (tmp_path / "gate").write_text, ["open"]).start()

    result = Local().run(at(tmp_path, recorder.waiting_line([HEX["runs"]], False)), echo=hear)
    thread.join()
    assert result.text.splitlines() == [f"{HEX['runs']} runs", f"{HEX['runs']} 4"]


def test_input_that_broke_off_starts_nothing(tmp_path: Path) -> None:
    command = f"cat >>{sh(tmp_path / 'effect')}"
    half = Local().run(at(tmp_path, recorder.recorded("a", command, 10, False)), b"12345")
    assert half.code == 125
    assert not (tmp_path / "effect").exists()
    assert run(tmp_path, "a", command, b"1234567890").ok
    assert (tmp_path / "effect").read_text() == "1234567890"
    assert not list((tmp_path / ".dlws/ops").glob(".dlws-input*"))


def test_many_at_once_start_one(tmp_path: Path) -> None:
    run(tmp_path, "before", "true")
    command = f"echo x >>{sh(tmp_path / 'effect')}; sleep 0.3; echo told"
    told: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: told.append(run(tmp_path, "a", command, b"in").out))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (tmp_path / "effect").read_text() == "x\n"
    assert told == [b"told\n"] * 6


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with very little room."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def fill(place: Path) -> None:
    """Take all the room, to the last byte."""
    with (place / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                file.write(b"x" * 4096)
            except OSError:
                return


def test_a_full_disk_on_the_node_is_said_and_nothing_is_run(small: Path) -> None:
    run(small, "before", "true")
    fill(small)
    result = run(small, "a", f"touch {sh(small.parent / 'effect')}", b"some input")
    assert recorder.not_kept(result)
    assert b"cannot be kept in " in result.err
    assert not (small.parent / "effect").exists()


@pytest.mark.parametrize("free", range(8))
def test_whatever_room_for_files_is_left_a_command_is_kept_or_not_begun(
    tmp_path: Path, small: Path, free: int
) -> None:
    subprocess.run(["mount", "-o", "remount,nr_inodes=40", small], check=True)
    run(small, "before", "true")
    spare = [small / f"spare{number}" for number in range(free)]
    for path in spare:
        path.touch()
    with pytest.raises(OSError, match="No space left"):
        for number in range(100):
            (small / f"filler{number}").touch()
    for path in spare:
        path.unlink()
    command = f"echo x >>{sh(tmp_path / 'effect')}; exit 7"
    result, again = run(small, "a", command), run(small, "a", command)
    needed = len(("the directory", "pid", "exit", "out", "err"))
    enough = free >= needed
    assert recorder.not_kept(result) is recorder.not_kept(again) is not enough
    assert (tmp_path / "effect").exists() is (small / ".dlws/ops/a").exists() is enough
    if enough:
        assert (result.code, again.code, (tmp_path / "effect").read_text()) == (7, 7, "x\n")
    withdrawn = Local().run(at(small, recorder.waiting_line(["b"], False)))
    left = free - (needed if enough else 0)
    assert (withdrawn.code, withdrawn.text) == ((0, "b never") if left >= 4 else (125, ""))


def test_a_disk_that_fills_up_meanwhile_loses_no_outcome(small: Path) -> None:
    effect = small.parent / "effect"
    command = (
        f"echo x >>{sh(effect)}; dd if=/dev/zero of={sh(small / 'filler')} 2>&-; seq 5000; exit 7"
    )
    assert run(small, "a", command).code == 7
    assert run(small, "a", command).code == 7
    assert effect.read_text() == "x\n"


def test_records_torn_at_any_byte_are_gone_on_from(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "whole", "whole", Redactor())
    journal.write("run", argv=["grün"], command="up", cwd="/", config="")
    journal.write("begin", node="w1", operation="a", title="x")
    journal.close("failed")
    data = (tmp_path / "whole" / NAME).read_bytes()
    for length in range(len(data) + 1):
        torn = tmp_path / str(length)
        torn.mkdir()
        (torn / NAME).write_bytes(data[:length])
        before = list(records(torn))
        whole = data[:length].count(b"\n")
        assert len(before) in (whole, whole + 1)  # a line that lacks but its end is whole
        lines = AppendLog(torn / NAME)
        resume = {"time": now(), "kind": "resume"}
        lines.append(json.dumps(resume))
        lines.close()
        assert list(records(torn)) == [*before, resume]


def test_a_full_disk_ends_the_record_with_an_error(small: Path) -> None:
    lines = AppendLog(small / "lines")
    lines.append("first")
    fill(small)
    with pytest.raises(JournalUnwritable, match="No space left on device"):
        for _ in range(5000):
            lines.append("more")
    (small / "filler").unlink()
    with pytest.raises(JournalUnwritable):
        lines.append("with a gap before it")
    with pytest.raises(JournalUnwritable):
        lines.close()


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


def test_a_request_for_a_reboot_is_no_failure_unless_its_node_failed() -> None:
    def record(kind: str, **fields: object) -> dict[str, object]:
        return {"kind": kind, "node": "w1", **fields}

    asked = [record("begin", operation="a"), record("done", operation="a", code=194)]
    assert history.failed(asked) == set()
    assert history.failed([*asked, record("begin", operation="b"), record("failed")]) == set()
    assert history.failed([*asked, record("failed")]) == {"a"}
    other = [record("done", operation="c", code=1), record("settled", operation="d", code=None)]
    assert history.failed(other) == {"c", "d"}


def test_the_same_command_in_two_steps_is_two(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "r", "r", Redactor())
    journal.step = "one"
    first = journal.operation("w1", "c", b"")
    journal.step = "two"
    second = journal.operation("w1", "c", b"")
    journal.close("failed")
    resumed = Journal(tmp_path / "r", "r", Redactor())
    resumed.step = "two"  # the first step is done, and left out
    assert resumed.operation("w1", "c", b"") == second != first
    resumed.close("ok")


def cuts(data: bytes) -> list[int]:
    """Where an upload may break off: around every block's edge, and in the middle."""
    edges = range(0, len(data), 512)
    near = {edge + more for edge in edges for more in (-1, 0, 1, 200)}
    return sorted(cut for cut in near if 0 <= cut < len(data))


def test_an_upload_cut_anywhere_leaves_whole_files_and_no_remains(tmp_path: Path) -> None:
    work, place = tmp_path / "work", tmp_path / "place"
    work.mkdir()
    wanted = [File(f"{place}/{n}", bytes([65 + n]) * 1500, 0o640) for n in range(2)]
    data = b"".join(files.stream(wanted))
    ends = len(data) - 2 * 512
    for cut in cuts(data):
        place.mkdir()
        for file in wanted:
            Path(file.path).write_bytes(b"old")
        result = Local().run(f"TMPDIR={sh(work)}; export TMPDIR; {files.PLACE}", data[:cut])
        assert result.ok <= (cut >= ends), cut
        assert not list(work.iterdir()), cut
        found = {path.name: path.read_bytes() for path in place.iterdir()}
        assert set(found) == {"0", "1"}, cut
        for n in range(2):
            assert found[str(n)] in (b"old", bytes([65 + n]) * 1500), cut
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


@pytest.mark.parametrize("line", [f"{scripts._RUN} sh -c", f"{scripts._START} s sh -c"])
def test_a_script_has_the_umask_of_a_login(tmp_path: Path, line: str) -> None:
    """What it writes is for those to read who could read it if a person had run it."""
    out = tmp_path / "out"
    command = f"umask 002; HOME={sh(tmp_path)}; export HOME; {line}"
    command += f" {sh(f'umask >{sh(out)}.new; mv {sh(out)}.new {sh(out)}')}"
    words, _ = with_state(tmp_path / "state", "sh", "-c", command)
    assert Local().run(sh(*words), bytes(1024)).ok
    wait_for(out)
    assert out.read_text() == "0002\n"


@pytest.mark.parametrize("line", [files.PLACE, f"{scripts._RUN} true"])
def test_what_the_killed_left_behind_goes_away(tmp_path: Path, line: str) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    words = ["/bin/sh", "-c", f"exec {line}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, env=environment) as process:
        for _ in range(200):
            if list(tmp_path.glob("dlws.*")):
                break
            threading.Event().wait(0.05)
        (left,) = tmp_path.glob("dlws.*")
        alive = Local().run(f"TMPDIR={sh(tmp_path)} {line}", b"")
        assert left.exists(), alive.complaint  # its process is at work
        process.send_signal(signal.SIGKILL)
    Local().run(f"TMPDIR={sh(tmp_path)}; export TMPDIR; {line}", b"")
    assert not list(tmp_path.glob("dlws.*"))


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


def test_a_run_whose_record_cannot_begin_gives_its_lock_back(tmp_path: Path) -> None:
    class Guard:
        held = False

        def take(self, run: str, deadline: float) -> None:
            self.held = True

        def release(self) -> None:
            assert started.halt.refusal is None, "no node could be asked any more"
            self.held = False

    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/runs").touch()  # where a directory should be
    started, guard = Run(Options(directory=tmp_path), Console()), Guard()
    started.watch(guard, {})
    for _ in range(2):
        with pytest.raises(JournalUnwritable):
            started.journal(changes_node=True)
    assert not guard.held and started.halt.refusal
