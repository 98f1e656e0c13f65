from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from dlws.core.connection import Local, Result
from dlws.shell import recorder
from dlws.shell.quoting import sh
from tests.support.disks import fill
from tests.support.recorded import at, run
from tests.support.waiting import wait_for

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
