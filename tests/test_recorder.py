"""The recorder: what a node did is done once, whatever happens to the connection."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.connection import Local, Result
from dlws.recorder import Settled, not_kept, operation, recorded, settled
from dlws.shell import sh
from tests.private import possible, with_state


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Path]:
    """A place that a user other than root would keep operations in."""
    yield tmp_path


def at(home: Path, line: str) -> str:
    """A line as a user other than root runs it, whose operations lie in its home."""
    return f"HOME={sh(home)}; export HOME; {line}"


def run(home: Path, op: str, command: str, stdin: bytes = b"") -> Result:
    return Local().run(at(home, recorded(op, command, len(stdin), False)), stdin)


def test_a_command_gives_its_streams_and_status(node: Path) -> None:
    result = run(node, "a", "cat; echo err >&2; exit 7", b"in\n")
    assert (result.code, result.out, result.err) == (7, b"in\n", b"err\n")


def test_the_same_operation_is_done_once_and_tells_the_same(node: Path) -> None:
    command = f"echo x >>{sh(node / 'log')}; echo done; echo warn >&2; exit 3"
    first, second = run(node, "a", command), run(node, "a", command, b"again")
    assert (second.code, second.out, second.err) == (first.code, first.out, first.err)
    assert (node / "log").read_text() == "x\n"


def test_another_operation_is_done(node: Path) -> None:
    for op in ("a", "b"):
        run(node, op, f"echo x >>{sh(node / 'log')}")
    assert (node / "log").read_text() == "x\nx\n"


def test_of_long_output_the_end_is_kept_for_the_next_time(node: Path) -> None:
    command = "head -c 1000000 /dev/zero | tr '\\0' a; echo the end"
    assert len(run(node, "a", command).out) == 1000008
    again = run(node, "a", command)
    assert len(again.out) == 65536
    assert again.out.endswith(b"athe end\n")


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


def test_it_goes_on_when_the_connection_is_gone(node: Path) -> None:
    os.mkfifo(node / "gate")
    log = node / "log"
    command = f"echo first; cat {sh(node / 'gate')}; seq 100000; echo last >{sh(log)}; echo end"
    environment = {**os.environ, "HOME": str(node)}
    words = ["sh", "-c", recorded("a", command, 0, False)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        assert process.stdout.readline() == b"first\n"
        process.stdout.close()  # as sshd does when its connection breaks
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
    assert settled(said) == [
        Settled("a1", 0, "ended"),
        Settled("b2", None, "died"),
        Settled("c3", None, "never"),
        Settled("d4", 194, "ended"),
    ]
    done = {code: Settled("a", code, "").done for code in (0, 1, 125, 194, None)}
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
        aged()
