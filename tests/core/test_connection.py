"""Connections: a result, what is kept of long output, and commands on this machine."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dlws.core.connection import Local, Result, Tail, banner, pieces
from dlws.shell.quoting import sh


def test_only_status_0_is_well() -> None:
    assert Result(0).ok and not Result(1).ok and not Result(255).ok


def test_text_is_output_without_its_last_newlines() -> None:
    assert Result(0, b"\n a\nb \n\n").text == "\n a\nb "
    assert Result(0, b"\xff").text == "\N{REPLACEMENT CHARACTER}"


def test_a_complaint_is_what_was_said_on_standard_error_else_on_output() -> None:
    assert Result(1, b"out\n", b" err\n").complaint == "err"
    assert Result(1, b" out\n", b" \n").complaint == "out"
    assert Result(1, b"", b"\xff").complaint == "\N{REPLACEMENT CHARACTER}"


def test_of_long_output_the_end_is_kept_and_the_rest_counted() -> None:
    tail = Tail(10)
    for number in range(100):
        tail.write(b"%02d" % number)
    assert (tail.value(), tail.lost) == (b"9596979899", 190)
    tail.write(b"x")
    assert (tail.value(), tail.lost) == (b"596979899x", 191)


def test_output_that_fits_is_kept_whole() -> None:
    tail = Tail(10)
    tail.write(b"0123456789")
    assert (tail.value(), tail.lost) == (b"0123456789", 0)


def test_a_tail_holds_no_more_than_twice_what_it_keeps() -> None:
    tail = Tail(10)
    for _ in range(1000):
        tail.write(b"xyz")
        assert len(tail._chunks) <= 20


def test_input_is_given_in_pieces_that_are_not_empty() -> None:
    assert list(pieces(b"")) == []
    assert list(pieces(b"a")) == [b"a"]
    assert list(pieces(iter([b"a", b"", b"b"]))) == [b"a", b"b"]


def test_a_command_gives_its_status_and_both_streams() -> None:
    assert Local().run("echo out; echo err >&2; exit 7") == Result(7, b"out\n", b"err\n")


def test_a_command_gets_its_input_in_order() -> None:
    assert Local().run("cat", iter([b"a\n", b"", b"b\n"])).out == b"a\nb\n"
    assert Local().run("cat").out == b""


def test_a_command_that_leaves_its_input_unread_gives_its_status() -> None:
    assert Local().run("exit 3", iter(1000 * [10_000 * b"x"])).code == 3


def test_output_is_told_as_it_comes_with_the_name_of_its_stream(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gate")
    told: list[tuple[str, bytes]] = []

    def echo(name: str, data: bytes) -> None:
        told.append((name, data))
        if data == b"first\n":
            (tmp_path / "gate").write_text("go\n")  # the command waits for it

    done = Local().run(f"echo first; cat {sh(tmp_path / 'gate')} >&2", echo=echo)
    assert told == [("out", b"first\n"), ("err", b"go\n")]
    assert done == Result(0, b"first\n", b"go\n")


def test_so_much_of_each_stream_is_kept() -> None:
    line = "head -c 100000 /dev/zero; echo end; head -c 200000 /dev/zero >&2; echo END >&2"
    assert Local().run(line, keep=6) == Result(0, b"\0\0end\n", b"\0\0END\n", lost=299_996)


def test_the_whole_of_a_stream_is_told_even_where_little_is_kept() -> None:
    told: list[bytes] = []
    Local().run("seq 50000", echo=lambda _, data: told.append(data), keep=1)
    assert b"".join(told).split() == [b"%d" % number for number in range(1, 50001)]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Python leaves SIGINT alone where a shell has switched it off, as for background jobs."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_command_ends_with_all_that_it_started(tmp_path: Path) -> None:
    def interrupt(name: str, data: bytes) -> None:
        while sum("_drain" in thread.name for thread in threading.enumerate()) < 2:
            pass  # it is interrupted while it waits, not while it begins
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        line = f"sleep 60 & echo $! >{sh(tmp_path / 'pid')}; echo begun; wait"
        Local().run(line, echo=interrupt)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10  # it has been told to end, and takes a moment
    while alive(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not alive(pid)


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        yield found


def ask(listener: socket.socket, seconds: float) -> bytes:
    address, port = listener.getsockname()
    return banner(address, port, time.monotonic() + seconds)


def answer(listener: socket.socket, *lines: bytes) -> None:
    """Takes a connection for each line, and says it."""
    for line in lines:
        taken, _ = listener.accept()
        with taken:
            taken.sendall(line)


def test_a_banner_is_the_first_line(listener: socket.socket) -> None:
    listener.listen()
    thread = threading.Thread(target=answer, args=(listener, b"SSH-2.0-x\r\nmore\r\n"))
    thread.start()
    assert ask(listener, 60) == b"SSH-2.0-x\r\n"
    thread.join()


def test_of_a_banner_without_end_256_bytes_are_read(listener: socket.socket) -> None:
    listener.listen()
    thread = threading.Thread(target=answer, args=(listener, 300 * b"x"))
    thread.start()
    assert ask(listener, 60) == 256 * b"x"
    thread.join()


def test_a_server_that_hangs_up_is_asked_again(listener: socket.socket) -> None:
    listener.listen()
    thread = threading.Thread(target=answer, args=(listener, b"", b"SSH\n"))
    thread.start()
    assert ask(listener, 60) == b"SSH\n"
    thread.join()


def test_a_server_that_is_starting_is_waited_for(listener: socket.socket) -> None:
    def start() -> None:
        time.sleep(0.3)  # refused till then
        listener.listen()
        answer(listener, b"SSH\n")

    thread = threading.Thread(target=start)
    thread.start()
    assert ask(listener, 60) == b"SSH\n"
    thread.join()


def test_a_silent_server_is_left_at_the_deadline(listener: socket.socket) -> None:
    listener.listen()
    assert ask(listener, 0.3) == b""


def test_a_server_that_answers_in_the_last_second_is_heard(listener: socket.socket) -> None:
    listener.listen()
    thread = threading.Thread(target=answer, args=(listener, b"SSH\n"))
    thread.start()
    assert ask(listener, 0.95) == b"SSH\n"
    thread.join()


def test_a_server_that_takes_no_connection_is_left_at_the_deadline(
    listener: socket.socket,
) -> None:
    listener.listen(0)
    with socket.create_connection(listener.getsockname()):  # its queue is full: it answers nobody
        assert ask(listener, 0.3) == b""


def test_no_server_is_told_at_the_deadline(listener: socket.socket) -> None:
    assert ask(listener, 0.3) == b""
    assert ask(listener, 0) == b""


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_banner_is_the_first_line(listening: socket.socket) -> None:
    def serve() -> None:
        client, _ = listening.accept()
        with client:
            client.sendall(b"SSH-2.0-x\r\nmore")

    thread = threading.Thread(target=serve)
    thread.start()
    port = listening.getsockname()[1]
    assert banner("127.0.0.1", port, time.monotonic() + 10) == b"SSH-2.0-x\r\n"
    thread.join()


def test_silent_server_has_no_banner(listening: socket.socket) -> None:
    port = listening.getsockname()[1]
    assert banner("127.0.0.1", port, time.monotonic() + 0.3) == b""


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert banner("127.0.0.1", port, time.monotonic() + 0.3) == b""


def test_what_a_tail_lost_is_known_before_its_value_is_asked_for() -> None:
    tail = Tail(10)
    tail.write(b"x" * 15)  # too little to be trimmed at once
    assert (tail.lost, tail.value(), tail.lost) == (5, b"x" * 10, 5)
