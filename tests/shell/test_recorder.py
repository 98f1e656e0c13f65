"""The recorder: what a node did is done once, whatever happens to the connection."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.core.connection import Local, Result
from dlws.shell import recorder
from dlws.shell.quoting import sh
from dlws.shell.recorder import (
    OperationOutcome,
    left_behind,
    not_kept,
    operation,
    outcomes,
    recorded,
    waiting_line,
)
from tests.support.private import possible, with_state
from tests.support.recorded import at, begun, locked, run, waits
from tests.support.waiting import wait_for, wait_until


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """A place that a user other than root would keep operations in."""
    yield tmp_path
    (tmp_path / "go").touch()  # what a test that failed has left behind waits for it


def test_a_command_gives_its_streams_and_status(node: Path) -> None:
    result = run(node, "a", "cat; echo err >&2; exit 7", b"in\n")
    assert (result.code, result.out, result.err) == (7, b"in\n", b"err\n")


def test_the_same_operation_is_done_once_and_tells_the_same(node: Path) -> None:
    command = f"echo x >>{sh(node / 'log')}; echo done; echo warn >&2; exit 3"
    first, second = run(node, "a", command), run(node, "a", command, b"again")
    assert (second.code, second.out, second.err) == (first.code, first.out, first.err)
    assert (node / "log").read_text() == "x\n"


def test_what_it_reads_of_a_command_is_in_its_place_before_that_starts(node: Path) -> None:
    command = (
        'cd "$HOME/.dlws/ops/a"; echo $(ls); cat exit pid; cat /proc/sys/kernel/random/boot_id'
    )
    names, status, of, boot = run(node, "a", command).text.splitlines()
    assert (names, status) == ("err exit out pid", "???")
    assert of.split()[2] == boot


def test_what_a_command_leaves_behind_is_named_and_not_waited_for(node: Path) -> None:
    """It held the output, and so the run and the cluster's lock, for as long as it lived."""
    wait = f"while [ ! -e {sh(node / 'go')} ]; do sleep 0.05; done"
    command = f"(exec 3>&1; {wait}; echo late; echo late >&2; : >{sh(node / 'end')}) & exit 3"
    line = at(node, recorded("a", f"echo out; echo err >&2; {command}", 0, False, patience=0))
    result = Local().run(line)
    assert (result.code, result.out) == (3, b"out\n")
    assert re.fullmatch(
        r"it has ended with 3; still at work, its output thrown away: pid \d+ \(sh -c .*",
        left_behind(result),
    )
    (node / "go").touch()
    wait_for(node / "end")  # what it prints then does not end it
    assert Local().run(line) == result


def test_output_is_thrown_away_once_those_that_keep_it_wait_for_more() -> None:
    """One that began later, on a busy machine, read on as long as what was left behind lived."""
    fakes = "held() { looks=$((looks + 1)); tees=' 1 2'; }; busy() { [ $looks -lt 3 ]; }"
    tell = 'exec 4>&1; kill() { echo "$looks: $*"; exit; }; sleep() { :; }; looks=0'
    assert Local().run(f"{recorder.HELD}\n{fakes}\n{tell}\nlet_go 0").text == "3: 1 2"
    fakes = fakes.replace("[ $looks -lt 3 ]", "true")
    told = Local().run(f"{recorder.HELD}\n{fakes}\n{tell}\nlet_go 0").text
    assert told.splitlines()[-1] == "51: 1 2"


def busy(*tees: subprocess.Popen[bytes]) -> bool:
    pids = "".join(f" {one.pid}" for one in tees)
    return Local().run(f"{recorder.HELD}\ntees='{pids}'; busy").ok


def test_only_who_waits_for_more_to_read_is_not_busy() -> None:
    pipe = subprocess.PIPE
    with (
        subprocess.Popen(["cat"], stdin=pipe) as one,
        subprocess.Popen(["cat"], stdin=pipe) as other,
        subprocess.Popen(["cat", "/dev/zero"], stdout=pipe) as writes,
    ):
        wait_until(lambda: not busy(one, other))
        assert busy(one) and busy()  # there are two, and one has not begun
        wchan = Path(f"/proc/{writes.pid}/wchan")
        wait_until(lambda: wchan.read_text().endswith("pipe_write"))
        assert busy(one, writes)
        other.send_signal(signal.SIGSTOP)
        wait_until(lambda: busy(one, other))
        other.send_signal(signal.SIGCONT)
        writes.kill()


def test_what_was_printed_before_is_kept_where_it_is_read_slowly(node: Path) -> None:
    """What had not passed its tee was thrown away with what came later."""
    wait = f"while [ ! -e {sh(node / 'go')} ]; do sleep 0.05; done"
    command = f"head -c 120000 /dev/zero; (: >{sh(node / 'left')}; {wait}) & exit 3"
    with begun(node, recorded("a", command, 0, False, patience=0)) as reading:
        wait_for(node / "left")
        time.sleep(1)  # several looks at what holds the output; a pipe has room for the half
        assert len(reading.communicate()[0]) == 120000
    assert reading.returncode == 3


def test_what_ends_soon_after_its_command_is_waited_for(node: Path) -> None:
    result = run(node, "a", "(sleep 0.3; echo late) & exit 3")
    assert (result.code, result.out, result.err) == (3, b"late\n", b"")


def test_a_command_is_told_what_it_is_called(node: Path) -> None:
    """The shell names it in complaints: dlws: 1: nonsense: not found."""
    assert run(node, "a", 'echo "$0"').text == "dlws"


def test_a_single_byte_of_input_arrives(node: Path) -> None:
    assert run(node, "a", "cat", b"1").out == b"1"


def test_input_for_what_has_ended_is_taken_and_dropped(node: Path) -> None:
    """The connection that brings it would otherwise break."""
    run(node, "a", "echo out")
    with begun(node, recorded("a", "echo out", 1 << 20, False)) as process:
        assert process.stdin
        process.stdin.write(bytes(1 << 20))
        assert process.communicate()[0] == b"out\n"


def test_names_in_the_environment_are_not_its_own(node: Path) -> None:
    names = (
        "op size patience up last here spool code said pid began time boot base memory mask then "
        "me mother session turn who tees"
    )
    before = "".join(f"export {name}=theirs; " for name in names.split())
    result = run(node, "a", "echo out; exit 3", before=before)
    assert (result.code, result.out, result.err) == (3, b"out\n", b"")


def test_another_operation_is_done(node: Path) -> None:
    for op in ("a", "b"):
        run(node, op, f"echo x >>{sh(node / 'log')}")
    assert (node / "log").read_text() == "x\nx\n"


@pytest.mark.parametrize("stream", ["out", "err"])
def test_of_long_output_the_end_is_kept_for_the_next_time(node: Path, stream: str) -> None:
    command = "head -c 1000000 /dev/zero | tr '\\0' a; echo the end"
    command = f"{{ {command}; }} >&{'2' if stream == 'err' else '1'}"
    assert len(getattr(run(node, "a", command), stream)) == 1000008
    again = getattr(run(node, "a", command), stream)
    assert len(again) == 65536
    assert again.endswith(b"athe end\n")


def test_one_that_still_runs_is_waited_for(node: Path) -> None:
    os.mkfifo(node / "gate")
    command = f"echo x >>{sh(node / 'log')}; cat {sh(node / 'gate')}; echo done"
    results: list[Result] = []
    threads = [
        threading.Thread(target=lambda: results.append(run(node, "a", command))) for _ in range(2)
    ]
    threads[0].start()
    while not (node / "log").exists():
        pass
    threads[1].start()
    with (node / "gate").open("w") as gate:
        gate.write("open\n")
    for thread in threads:
        thread.join()
    assert [result.out for result in results] == [b"open\ndone\n"] * 2
    assert (node / "log").read_text() == "x\n"


def waiting(home: Path, line: str) -> subprocess.Popen[bytes]:
    """A line that has begun to wait for an operation, between two looks at it."""
    programs, mark = home / "bin", home / "waits"
    programs.mkdir()
    (programs / "sleep").write_text(f'#!/bin/sh\n: >{sh(mark)}\nexec /bin/sleep "$@"\n')
    (programs / "sleep").chmod(0o755)
    process = begun(home, f"PATH={sh(programs)}:$PATH; {line}")
    wait_for(mark)
    return process


@pytest.mark.parametrize("line", [recorded("a1", "", 0, False), waiting_line(["a1"], False)])
def test_who_waits_for_one_keeps_no_other_from_starting(node: Path, line: str) -> None:
    os.mkfifo(node / "gate")
    with begun(node, recorded("a1", f"cat {sh(node / 'gate')}", 0, False)) as runs:
        wait_for(node / ".dlws/ops/a1/out")
        with waiting(node, line) as process:
            try:
                with begun(node, recorded("b", "echo other", 0, False)) as other:
                    assert other.communicate(timeout=30)[0] == b"other\n"
            finally:
                (node / "gate").write_text("open")
            assert (runs.communicate()[0], process.wait()) == (b"open", 0)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (recorded("a1", "echo anew", 0, False), b"of the first"),
        (waiting_line(["a1"], False), b"a1 0\n"),
    ],
)
def test_of_two_that_come_at_once_the_second_sees_what_the_first_has_done(
    node: Path, line: str, told: bytes
) -> None:
    with locked(node):
        process = begun(node, line)
        while process.poll() is None and not waits(node / ".dlws/ops/.lock"):
            pass
        place = node / ".dlws/ops/a1"
        place.mkdir()
        for name, text in {
            "pid": "1 1 boot",
            "exit": "0\n",
            "out": "of the first",
            "err": "",
        }.items():
            (place / name).write_text(text)
    assert process.communicate()[0] == told


def test_it_goes_on_when_the_connection_is_gone(node: Path) -> None:
    os.mkfifo(node / "gate")
    log = node / "log"
    command = f"echo first; cat {sh(node / 'gate')}; seq 100000 && seq 100000 >&2 && "
    command += f"echo last >{sh(log)}; echo end"
    with begun(node, recorded("a", command, 0, False)) as process:
        assert process.stdout and process.stderr
        assert process.stdout.readline() == b"first\n"
        process.stdout.close()  # as sshd does when its connection breaks
        process.stderr.close()
        with (node / "gate").open("w") as gate:
            gate.write("go\n")
        process.wait()
    assert log.read_text() == "last\n"
    assert run(node, "a", command).out.endswith(b"100000\nend\n")


def test_one_that_died_with_its_machine_is_run_anew(node: Path) -> None:
    os.mkfifo(node / "gate")
    look = f"[ -e {sh(node / 'after')} ] && wait=: || wait={sh(f'cat {node}/gate')}"
    command = f"{look}; echo x >>{sh(node / 'log')}; $wait"
    thread = threading.Thread(target=run, args=(node, "a", command))
    thread.start()
    pid_file = node / ".dlws/ops/a/pid"
    while not (node / "log").exists():
        pass
    pid = int(pid_file.read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    (node / "after").touch()
    with (node / "gate").open("w"):
        pass
    thread.join()
    assert run(node, "a", command).ok
    assert (node / "log").read_text() == "x\nx\n"


def test_a_reused_process_id_is_not_taken_for_the_command(node: Path) -> None:
    place = node / ".dlws/ops/a"
    place.mkdir(parents=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (place / "pid").write_text(f"{os.getpid()} 1 {boot}\n")
    assert run(node, "a", "echo anew").out == b"anew\n"


def test_a_process_from_before_a_reboot_is_not_taken_for_the_command(node: Path) -> None:
    place = node / ".dlws/ops/a"
    place.mkdir(parents=True)
    start = Path(f"/proc/{os.getpid()}/stat").read_text().rpartition(")")[2].split()[19]
    (place / "pid").write_text(f"{os.getpid()} {start} another-boot\n")
    assert run(node, "a", "echo anew").out == b"anew\n"


def test_roots_operations_lie_in_var_and_its_input_nowhere(tmp_path: Path) -> None:
    if not possible():
        pytest.skip("a /var/lib/dlws of its own takes root")
    words, state = with_state(tmp_path / "state", "sh", "-c", recorded("a", "cat", 3, True))
    assert Local().run(sh(*words), b"abc").out == b"abc"
    assert (state / "ops/a/exit").read_text().strip() == "0"
    assert (state / "ops/a/out").read_text() == "abc"
    assert not list(state.rglob(".dlws-input*"))
    words, _ = with_state(tmp_path / "state", "sh", "-c", waiting_line(["a", "b"], True))
    assert Local().run(sh(*words)).text.splitlines() == ["a 0", "b never"]


def test_a_command_has_the_umask_of_a_login(node: Path) -> None:
    line = f"umask 002; {recorded('a', 'umask', 0, False)}"
    assert Local().run(at(node, line)).text == "0002"


def test_a_command_that_is_killed_before_it_has_a_status_failed(node: Path) -> None:
    run(node, "a", "kill -9 $PPID; echo on")  # the shell that would tell how it ended
    assert run(node, "a", "echo anew").code == 137


def test_a_command_without_input_reads_none(node: Path) -> None:
    assert Local().run(at(node, recorded("a", "cat", 0, False)), b"of another").out == b""


def test_what_a_command_leaves_open_is_its_own(node: Path) -> None:
    """It inherits nothing of the recorder's: the lock there would be held, pipes never ended."""
    assert run(node, "a", "ls /proc/self/fd", b"in").text.split() == ["0", "1", "2", "3"]


def test_what_is_said_of_operations_is_read() -> None:
    said = "a1 runs\na1 0\nb2 died\nnonsense\nc3 never\nd4 194\n"
    assert outcomes(said) == [
        OperationOutcome("a1", 0, "ended"),
        OperationOutcome("b2", None, "died"),
        OperationOutcome("c3", None, "never"),
        OperationOutcome("d4", 194, "ended"),
    ]
    done = {code: OperationOutcome("a", code, "").done for code in (0, 1, 125, 194, None)}
    assert done == {0: True, 1: False, 125: False, 194: True, None: False}


def test_only_the_recorder_says_that_an_outcome_was_not_kept() -> None:
    assert not_kept(Result(125, b"", b"dlws: not run\n"))
    assert not not_kept(Result(125, b"", b"the command's own\n"))
    assert not not_kept(Result(1, b"", b"dlws: not run\n"))


def test_a_command_whose_outcome_cannot_be_kept_is_not_run(node: Path) -> None:
    (node / ".dlws").write_text("no directory")
    result = run(node, "a", f"touch {sh(node / 'made')}")
    assert result.code == 125
    assert not (node / "made").exists()


def test_one_whose_status_finds_no_place_is_not_said_to_have_ended_well(node: Path) -> None:
    result = run(node, "a", 'cd "$HOME/.dlws/ops/a" && rm exit && mkdir exit; echo out')
    assert (result.code, result.out) == (125, b"out\n")
    assert b"dlws: it ended with 0, which cannot be kept in " in result.err


def test_outcomes_are_for_their_owner_only(node: Path) -> None:
    run(node, "a", "echo secret")
    modes = {p.stat().st_mode & 0o077 for p in (node / ".dlws").rglob("*")}
    assert modes == {0}


def test_operations_differ_by_run_step_node_command_input_and_turn() -> None:
    same = ("r", "s", "n", "c", b"i", 0)
    others = [("R", *same[1:]), ("r", "S", *same[2:]), ("r", "s", "N", *same[3:])]
    others += [("r", "s", "n", "C", b"i", 0), ("r", "s", "n", "c", b"I", 0)]
    others += [("r", "s", "n", "c", b"i", 1), ("r", "s", "nc", "", b"i", 0)]
    assert len({operation(*key) for key in (same, *others)}) == 8
    assert operation(*same) == operation(*same)


def test_what_was_done_is_told_also_by_a_node_that_is_full_now(node: Path) -> None:
    """Else the run would take it for not done, and do it twice."""
    log = node / "log"
    command, stdin = f"cat >>{sh(log)}", 40_000 * b"x"
    assert run(node, "a", command, stdin).ok
    full = f"ulimit -f 8; {recorded('a', command, len(stdin), False)}"
    assert Local().run(at(node, full), stdin).ok
    assert log.stat().st_size == len(stdin)
    other = Local().run(
        at(node, f"ulimit -f 8; {recorded('b', command, len(stdin), False)}"), stdin
    )
    assert other.code == 125 and log.stat().st_size == len(stdin)


def test_old_outcomes_go_once_a_day_and_after_each_start_of_the_machine(node: Path) -> None:
    run(node, "a", "true")
    ops = node / ".dlws/ops"

    def aged() -> Path:
        old = ops / "old"
        old.mkdir(exist_ok=True)
        os.utime(old, (0, 0))
        return old

    old, up = aged(), int(float(Path("/proc/uptime").read_text().split()[0]))
    for number, (last, gone) in enumerate(((up - 60, False), (up + 60, True), (up - 90000, True))):
        (ops / ".swept").write_text(f"{last}\n")
        assert run(node, f"b{number}", "echo out").text == "out"
        assert old.exists() is not gone, last
        assert (int((ops / ".swept").read_text()) >= up) is gone
        aged()
