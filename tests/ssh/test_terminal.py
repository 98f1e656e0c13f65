from __future__ import annotations

import os
import pty
import select
import sys
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support.deploy import Deploy
from tests.support.program import DEPLOY
from tests.support.sshd import Server


@contextmanager
def on_a_terminal(deploy: Deploy, *words: str) -> Iterator[tuple[int, int]]:
    """deploy.py with a terminal of 100 by 30 as its own: its pid and the terminal's other end."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(sys.executable, [*DEPLOY, "--dir", str(deploy.directory), *words])
    termios.tcsetwinsize(terminal, (30, 100))
    try:
        yield pid, terminal
    finally:
        os.close(terminal)


def read_until(terminal: int, words: bytes, seconds: float = 20) -> bytes:
    seen, deadline = b"", time.monotonic() + seconds
    while words not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                raise AssertionError(seen) from None
    return seen


@pytest.mark.skipif(not hasattr(termios, "tcsetwinsize"), reason="Python 3.11 sets window sizes")
def test_connect_is_a_terminal(deploy: Deploy, sshd: Server) -> None:
    with on_a_terminal(deploy, "connect", "worker", "0") as (pid, terminal):
        read_until(terminal, b"# ")
        os.write(terminal, b"PS1=; stty -echo; echo rea''dy\n")
        read_until(terminal, b"ready\r\n")
        os.write(terminal, b"echo size $(stty size) $TERM\n")
        assert b"size 30 100 xterm" in read_until(terminal, b"xterm")
        termios.tcsetwinsize(terminal, (40, 120))
        os.write(terminal, b"trap 'echo size now $(stty size).' WINCH; kill -WINCH $$\n")
        deadline = time.monotonic() + 20
        while b"size now 40 120." not in read_until(terminal, b"."):
            assert time.monotonic() < deadline
            os.write(terminal, b"kill -WINCH $$\n")
        os.write(terminal, b"echo wai''ting; sleep 60\n")
        read_until(terminal, b"waiting")
        time.sleep(0.3)  # the shell must have started sleep before the key is pressed
        os.write(terminal, b"\x03")
        os.write(terminal, b"echo ended $?.\n")
        read_until(terminal, b"ended 130.")
        os.write(terminal, b"exit 7\n")
        deadline = time.monotonic() + 20
        while (ended := os.waitpid(pid, os.WNOHANG))[0] == 0 and time.monotonic() < deadline:
            select.select([terminal], [], [], 0.1)
            time.sleep(0.05)
        assert os.waitstatus_to_exitcode(ended[1]) == 7
