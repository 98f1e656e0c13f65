"""A node's log keeps its beginning and its end, and never takes more than its limit."""

from __future__ import annotations

import os
import random
import re
import threading
from pathlib import Path

import pytest

from dlws.runs import nodelog
from dlws.runs.journal import Journal
from dlws.runs.nodelog import LogSpace, NodeLog
from dlws.secrets.redaction import Redactor

KIB = 1024
GAP = re.compile(rb"\n\[dlws: 0*([0-9]+) bytes are left out here\]\n")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits in KiB where they are in MiB."""
    for name, size in (("LOG", 64), ("CROWDED", 4), ("RUN", 4096), ("RESERVED", 0)):
        monkeypatch.setattr(nodelog, f"{name}_BYTES", size * KIB)
    monkeypatch.setattr(nodelog, "_STRIDE", KIB)


def numbered(lines: int) -> bytes:
    return b"".join(b"line %06d\n" % number for number in range(lines))


def write(path: Path, data: bytes, size: int = 700, space: LogSpace | None = None) -> int:
    """Append data in pieces; the largest size that the file had."""
    log = NodeLog(path, space or LogSpace(path.parent), threading.Lock())
    largest = 0
    for start in range(0, len(data), size):
        log.write(data[start : start + size])
        largest = max(largest, path.stat().st_size)
    log.close()
    return largest


def whole(kept: bytes, data: bytes) -> bool:
    """Whether what is kept is the data but for what it says is left out."""
    first, *gaps, last = GAP.split(kept)
    assert len(gaps) == 1
    return (
        data.startswith(first)
        and data.endswith(last)
        and (len(first) + int(gaps[0]) + len(last) == len(data))
    )


def test_what_fits_is_kept_whole(tmp_path: Path) -> None:
    data = numbered(64 * KIB // 12)
    write(tmp_path / "a.log", data)
    assert (tmp_path / "a.log").read_bytes() == data


@pytest.mark.parametrize("lines", [6_000, 9_000, 50_000])
def test_of_more_the_beginning_and_the_end_are_kept(tmp_path: Path, lines: int) -> None:
    data = numbered(lines)
    assert write(tmp_path / "a.log", data) <= 64 * KIB
    kept = (tmp_path / "a.log").read_bytes()
    assert whole(kept, data)
    assert kept.startswith(data[: 16 * KIB]) and kept.endswith(data[-15 * KIB :])


def test_another_part_of_the_run_adds_to_what_was_left_out(tmp_path: Path) -> None:
    first, second = numbered(20_000), b"again\n" * 30_000
    for part in (first, second):
        write(tmp_path / "a.log", part)
    assert whole((tmp_path / "a.log").read_bytes(), first + second)


def test_pieces_of_any_size(tmp_path: Path) -> None:
    chance, data, sent = random.Random(5), numbered(90_000), 0
    log = NodeLog(tmp_path / "a.log", LogSpace(tmp_path), threading.Lock())
    while sent < len(data):
        size = chance.choice([1, 11, 700, 4 * KIB, 15 * KIB])
        log.write(data[sent : sent + size])
        sent += size
        assert (tmp_path / "a.log").stat().st_size <= 64 * KIB
    log.close()
    assert whole((tmp_path / "a.log").read_bytes(), data)


def test_where_all_logs_are_too_much_those_that_grow_are_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodelog, "RUN_BYTES", 200 * KIB)
    space, data = LogSpace(tmp_path), numbered(5_000)
    for number in range(40):
        write(tmp_path / f"{number}.log", data, space=space)
    sizes = [path.stat().st_size for path in tmp_path.glob("*.log")]
    assert sum(sizes) <= 200 * KIB + 64 * KIB + 36 * 4 * KIB
    assert all(whole(path.read_bytes(), data) for path in tmp_path.glob("*.log")
               if path.stat().st_size < len(data))  # fmt: skip
    again = LogSpace(tmp_path)
    write(tmp_path / "0.log", numbered(6_000), space=again)
    assert whole((tmp_path / "0.log").read_bytes(), data + numbered(6_000))
    assert (tmp_path / "0.log").stat().st_size <= 4 * KIB


def test_the_last_of_the_disk_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = os.statvfs(tmp_path)
    monkeypatch.setattr(nodelog, "RESERVED_BYTES", 10 * disk.f_blocks * disk.f_frsize)
    data = numbered(5_000)
    assert write(tmp_path / "a.log", data) <= 4 * KIB
    assert whole((tmp_path / "a.log").read_bytes(), data)


def test_a_node_that_writes_such_a_line_itself_changes_nothing_but_a_number(tmp_path: Path) -> None:
    forged = nodelog._GAP % 123
    data = b"x" * (16 * KIB) + forged + b"y" * (90 * KIB)
    write(tmp_path / "a.log", data)
    kept = (tmp_path / "a.log").read_bytes()
    assert kept.startswith(b"x" * (16 * KIB)) and kept.endswith(b"y" * (15 * KIB))
    assert len(kept) <= 64 * KIB


def test_the_journal_keeps_each_nodes_log_within_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "run", "run", Redactor(["hunter2"]))
    for node in ("a", "b"):
        receive, finish = journal.log(node)
        receive("out", b"first hunter2\n")
        for _ in range(200):
            receive("out", b"0123456789" * 99 + b"\n")
        receive("err", b"last\n")
        finish()
    journal.close("ok")
    for node in ("a", "b"):
        kept = (tmp_path / "run" / f"{node}.log").read_bytes()
        assert kept.startswith(b"first (secret)\n") and kept.endswith(b"\nlast\n")
        assert len(kept) <= 64 * KIB and GAP.search(kept)
