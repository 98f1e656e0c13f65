from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from dlws.runs import appendlog
from dlws.runs.appendlog import AppendLog, JournalUnwritable
from dlws.runs.journal import Journal, now
from dlws.runs.records import NAME, records
from dlws.secrets.redaction import Redactor
from tests.support.disks import fill


def test_lines_whose_sync_failed_end_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fails)
    lines = AppendLog(tmp_path / "a b")
    lines.append("one")
    with pytest.raises(JournalUnwritable, match="Input/output error") as caught:
        lines.close()
    assert f"df -h {tmp_path}" in caught.value.cure and "resume" in caught.value.cure


def test_lines_are_for_their_owner_and_go_on_where_they_ended(tmp_path: Path) -> None:
    for line in ("one", "zwölf"):
        lines = AppendLog(tmp_path / "lines")
        lines.append(line)
        lines.close()
    assert (tmp_path / "lines").read_text() == "one\nzwölf\n"
    assert (tmp_path / "lines").stat().st_mode & 0o777 == 0o600


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


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of the file at each sync. The lines of a whole test share one."""
    sizes, fsync = list[int](), os.fsync

    def noting(handle: int) -> None:
        sizes.append(os.fstat(handle).st_size)
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noting)
    monkeypatch.setattr(appendlog, "_SHARE", 1000)
    return sizes


def test_lines_share_a_sync_and_the_end_does_not_wait_for_it(
    tmp_path: Path, synced: list[int]
) -> None:
    lines = AppendLog(tmp_path / "lines")
    for _ in range(500):
        lines.append("x")
    lines.close()
    assert synced[-1] == 1000 and len(synced) <= 2


def test_a_line_that_comes_during_the_last_sync_is_on_the_disk_at_the_end(
    tmp_path: Path, synced: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync, begun, go_on = os.fsync, threading.Event(), threading.Event()

    def slow(handle: int) -> None:
        fsync(handle)
        begun.set()
        assert go_on.wait(30)

    monkeypatch.setattr(os, "fsync", slow)
    lines = AppendLog(tmp_path / "lines")
    lines.append("one")
    assert begun.wait(30)
    lines.append("two")
    closing = threading.Thread(target=lines.close)
    closing.start()
    assert lines._ended.wait(30)
    go_on.set()
    closing.join()
    assert synced == [4, 8]


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
