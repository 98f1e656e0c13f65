"""The record of a run: what is written."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dlws.core.connection import Result
from dlws.runs import journal as journals
from dlws.runs import nodelog
from dlws.runs.appendlog import JournalUnwritable
from dlws.runs.journal import Journal
from dlws.runs.records import records
from dlws.secrets.redaction import Redactor
from dlws.shell.files import File
from dlws.shell.recorder import OperationOutcome

SECRET = "s3cret-value"


def begin(place: Path, run: str = "run-1") -> Journal:
    hidden = Redactor()
    hidden.add([SECRET])
    return Journal(place / "runs" / run, run, hidden)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = begin(tmp_path)
    yield made
    made.close("ok")


def ran(journal: Journal, node: str, command: str, result: Result, stdin: bytes = b"") -> str:
    """A command that was run under the journal; its operation."""
    with journal.recording(node, f"do {command}", command, stdin, True) as record:
        record.result = result
    return record.operation


def seen(journal: Journal) -> list[dict[str, Any]]:
    """The records without their times."""
    found = list(records(journal.directory))
    for record in found:
        assert datetime.fromisoformat(record.pop("time")).utcoffset() == timedelta(0)
        assert record["kind"] != "done" or 0 <= record.pop("seconds") < 60
    return found


def test_a_record_is_for_its_owner(journal: Journal) -> None:
    receive, finish = journal.log("w1")
    receive("out", b"x")
    finish()
    assert journal.directory.stat().st_mode & 0o777 == 0o700
    assert {p.name: p.stat().st_mode & 0o777 for p in journal.directory.iterdir()} == {
        "journal.jsonl": 0o600, "w1.log": 0o600,
    }  # fmt: skip


def test_a_command_is_recorded_when_it_begins_and_when_it_has_ended(journal: Journal) -> None:
    with journal.recording("w1", "do it", "command", b"", False) as record:
        (begun,) = seen(journal)
        assert (begun["kind"], begun["node"], begun["title"]) == ("begin", "w1", "do it")
        assert (begun["operation"], begun["root"]) == (record.operation, False)
        record.result = Result(0, b"out\n", b"err\n")
    assert seen(journal)[1] == {
        "kind": "done", "node": "w1", "operation": record.operation, "title": "do it",
        "code": 0, "last": "",
    }  # fmt: skip


def test_of_a_failed_command_the_end_of_its_complaint_is_kept(journal: Journal) -> None:
    ran(journal, "w1", "x", Result(3, b"", b"a" + 1999 * b"b" + b"c\n"))
    done = seen(journal)[1]
    assert (done["code"], done["last"]) == (3, 1999 * "b" + "c")


def test_of_a_broken_command_the_outcome_is_unknown(journal: Journal) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        journal.recording("w1", "do it", "command", b"", False) as record,
    ):
        raise KeyboardInterrupt("why")
    assert seen(journal)[1] == {
        "kind": "lost", "node": "w1", "operation": record.operation, "why": "why",
    }  # fmt: skip


def test_secrets_are_in_no_record_and_no_log(journal: Journal) -> None:
    ran(journal, "w1", "x", Result(1, b"", f"no: {SECRET}".encode()))
    journal.write("failed", node="w1", title=SECRET, why=f"a {SECRET}")
    receive, finish = journal.log("w1")
    receive("out", f"it is {SECRET[:5]}".encode())
    receive("out", f"{SECRET[5:]}, really\n".encode())
    finish()
    for path in journal.directory.iterdir():
        assert SECRET not in path.read_text(), path
    assert (journal.directory / "w1.log").read_text().endswith(", really\n")


def test_a_log_goes_on_where_it_ended(journal: Journal) -> None:
    for text in (b"one\n", b"two"):
        receive, finish = journal.log("w1")
        receive("out", text)
        receive("err", b"!\n")
        finish()
    assert (journal.directory / "w1.log").read_text() == "one\n!\ntwo!\n"


def test_a_log_leaves_nothing_open(journal: Journal) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        _, finish = journal.log("w1")
        finish()
    assert len(os.listdir("/proc/self/fd")) == before


def test_the_end_is_the_last_record_and_leaves_nothing_open(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal = begin(tmp_path)
    journal.write("step", name="x")
    journal.close("failed")
    assert seen(journal)[-1] == {"kind": "end", "outcome": "failed"}
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_record_reaches_the_disk_while_the_run_goes_on(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = threading.Event()
    fsync = os.fsync

    def noting(handle: int) -> None:
        fsync(handle)
        synced.set()

    monkeypatch.setattr(os, "fsync", noting)
    for number in range(3):
        journal.write("step", name=str(number))
        assert synced.wait(30)
        synced.clear()


def test_a_record_is_on_the_disk_when_the_run_has_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = begin(tmp_path)
    last: list[dict[str, Any]] = []
    fsync = os.fsync

    def noting(handle: int) -> None:
        last[:] = list(records(journal.directory))[-1:]
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noting)
    journal.close("ok")
    assert [record["kind"] for record in last] == ["end"]


def test_commands_differ_by_their_input(tmp_path: Path) -> None:
    found = set()
    for place, stdin in (("a", b"1"), ("b", b"2"), ("c", b"2")):
        journal = begin(tmp_path / place)
        found.add(ran(journal, "w1", "x", Result(0), stdin))
        journal.close("ok")
    assert len(found) == 2


def test_equal_commands_are_told_apart_by_their_turn(journal: Journal) -> None:
    first = [journal.operation("w1", "x", b"in") for _ in range(2)]
    others = [journal.operation("w2", "x", b"in"), journal.operation("w1", "y", b"in")]
    assert len({*first, *others}) == 4


def test_a_resumed_run_asks_for_the_same_operations_but_those_that_failed(tmp_path: Path) -> None:
    first = begin(tmp_path)
    was = [ran(first, "w1", "x", Result(code)) for code in (0, 1, 0)]
    first.close("failed")
    second = begin(tmp_path)
    now = [ran(second, "w1", "x", Result(0)) for _ in range(3)]
    second.close("ok")
    assert now[:2] == [was[0], was[2]]
    assert now[2] not in was
    assert len(seen(second)) == 14


def test_equal_commands_with_other_input_are_told_apart(tmp_path: Path) -> None:
    found = set()
    for place, stdin in (("a", b"1"), ("b", b"2"), ("c", b"2")):
        journal = begin(tmp_path / place)
        with journal.recording("w1", "do", "x", stdin, True) as record:
            record.result = Result(0)
        found.add(record.operation)
        journal.close("ok")
    assert len(found) == 2


def test_of_a_run_that_was_cut_off_it_is_known_what_was_under_way(tmp_path: Path) -> None:
    first = begin(tmp_path)
    ran(first, "w1", "ended", Result(0))
    with pytest.raises(KeyboardInterrupt), first.recording("w1", "do", "x", b"", True) as one:
        raise KeyboardInterrupt
    with first.recording("w2", "do", "x", b"", False) as two:
        two.result = Result(0)
    first.close("failed")
    second = begin(tmp_path)
    assert [row["operation"] for row in second.in_flight] == [one.operation]
    second.settled("w1", "do", OperationOutcome(one.operation, None, "died"))
    assert seen(second)[-1] == {
        "kind": "settled", "node": "w1", "title": "do", "operation": one.operation,
        "code": None, "how": "died",
    }  # fmt: skip
    assert ran(second, "w1", "x", Result(0)) != one.operation
    second.close("failed")
    assert begin(tmp_path).in_flight == []


@pytest.mark.parametrize(("code", "anew"), [(0, False), (194, False), (3, True), (None, True)])
def test_what_was_settled_and_is_not_done_is_asked_for_anew(
    journal: Journal, code: int | None, anew: bool
) -> None:
    again = begin(journal.directory)  # the same run, seen from its beginning
    operation = again.operation("w1", "x", b"")
    journal.settled("w1", "do", OperationOutcome(operation, code, "how"))
    assert (journal.operation("w1", "x", b"") != operation) == anew
    again.close("ok")


def test_files_that_were_about_to_be_written_are_known(tmp_path: Path) -> None:
    first = begin(tmp_path)
    files = [File("/x", b"1"), File("/y", b"2")]
    first.placing("w1", files)
    first.placing("w1", [File("/x", b"3")])
    first.close("failed")
    second = begin(tmp_path)
    assert second.placed == {
        "w1": {("/x", files[0].sha256), ("/y", files[1].sha256), ("/x", File("/x", b"3").sha256)}
    }
    second.close("ok")


def test_a_log_that_cannot_be_written_ends_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    before = len(os.listdir("/proc/self/fd"))
    journal = begin(tmp_path)
    receive, finish = journal.log("w1")
    monkeypatch.setattr(nodelog, "write_all", full)
    with pytest.raises(JournalUnwritable, match=r"w1\.log: No space left"):
        receive("out", 100_000 * b"x\n")
    finish()
    with pytest.raises(JournalUnwritable):
        journal.close("ok")
    assert len(os.listdir("/proc/self/fd")) == before


def test_an_end_that_cannot_be_written_leaves_nothing_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = len(os.listdir("/proc/self/fd"))
    journal = begin(tmp_path)
    journal._log.stop(OSError(28, "No space left on device"))
    with pytest.raises(JournalUnwritable):
        journal.close("ok")
    assert len(os.listdir("/proc/self/fd")) == before


def test_ids_of_runs_sort_as_they_began() -> None:
    began = datetime(2020, 1, 2, 3, 4, 5).timestamp()
    ids = [journals.new_id(began + moment / 1000) for moment in range(0, 2000, 7)]
    assert ids == sorted(ids)
    assert all(re.fullmatch("20200102-03040[56]-[0-9a-f]{6}", run) for run in ids)
    assert len({journals.new_id(began) for _ in range(20)}) > 1


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
