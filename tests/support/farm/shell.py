"""Runs a command of a host for real, by sh, in the host's own directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from pathlib import Path

from dlws.shell.recorder import BOOT, ROOTS

OWN = "/proc/self/fd/7"
"""An absolute path that is a host's own home for each of its commands: hosts share all others."""
_OWN_PLACES = {
    # Root's usual path, which commands set under sudo, has this host's programs first, too.
    b"PATH=/usr/local/sbin:": b"PATH=%(bin)s:/usr/local/sbin:",
    # Each host has booted at a time of its own, and root there keeps things of its own.
    os.fsencode(BOOT): b"%(home)s/.farm/boot",
    os.fsencode(ROOTS): b"base=%(home)s/.dlws/ops; memory=%(home)s/.dlws",
}
_SUDO = """#!/bin/sh
# Stands in for sudo on a farm's hosts: takes its options off and runs the rest.
while :; do
    case $1 in
        -u | -p | -g) shift 2 ;;
        --) shift; break ;;
        -S | --stdin) read -r _; shift ;;
        -*) shift ;;
        *) break ;;
    esac
done
exec "$@"
"""
# Not root to those who ask: what a host keeps then lies in its home, not on this machine.
_ID = """#!/bin/sh
[ "$*" != -u ] || { echo 1000; exit; }
exec /usr/bin/id "$@"
"""
_SYSTEMD_RUN = """#!/bin/sh
# What a farm's host is asked to run later is a reboot; the farm looks after the command.
: >"$HOME/.farm/reboot"
"""
_SYSTEMCTL = """#!/bin/sh
echo running
"""
_EFFECT = """#!/bin/sh
# The change that tests count, a line of ~/effect. The host's fault says where it waits or fails.
how=$(/bin/cat "$HOME/.farm/effect" 2>/dev/null)
pause() {
    : >"$HOME/.farm/paused"
    while [ -e "$HOME/.farm/paused" ]; do sleep 0.02; done
}
[ "$how" != before ] || pause
echo "$*" >>"$HOME/effect" || exit 1
[ "$how" != after ] || pause
[ "$how" != exit ] || { echo "failed after its effect" >&2; exit 7; }
"""
_PROGRAMS = {
    "sudo": _SUDO,
    "id": _ID,
    "systemd-run": _SYSTEMD_RUN,
    "systemctl": _SYSTEMCTL,
    "effect": _EFFECT,
}
# A farm that is not root's can give files to nobody, and says that they are root's.
_UNPRIVILEGED = {
    "chown": "#!/bin/sh\n",
    "stat": '#!/bin/sh\n/usr/bin/stat "$@" | sed "s/ $(/usr/bin/id -un):.*/ root:root/"\n',
}

ENTER = "enter"
"""A file in a host's home of words, a line each, that stand before every command's: a world of its
own for the host, say."""

Stdin = asyncio.Queue[bytes]
"""Pieces of standard input; an empty piece is its end."""
Write = Callable[[bytes, bool], Awaitable[None]]
"""Sends output: (data, is it standard error)."""


def prepare(directory: Path) -> Path:
    """Makes the directory of programs that come before the machine's own."""
    programs = directory / "bin"
    programs.mkdir()
    for name, text in (_PROGRAMS | (_UNPRIVILEGED if os.getuid() else {})).items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return programs


async def start(command: bytes, home: Path, programs: Path, limit: str) -> Process:
    """Starts a command in a session of its own; `limit` stands before it as shell."""
    line = command
    for usual, own in _OWN_PLACES.items():
        line = line.replace(
            usual, own % {b"home": os.fsencode(home), b"bin": os.fsencode(programs)}
        )
    enter = home / ENTER
    return await asyncio.create_subprocess_exec(
        *(enter.read_text().splitlines() if enter.exists() else ()),
        "/bin/sh",
        "-c",
        b'exec 7<"$HOME"; ' + limit.encode() + line,
        cwd=home,
        env={
            "HOME": str(home),
            "TMPDIR": str(home / ".farm/tmp"),
            "PATH": f"{programs}:{os.environ['PATH']}",
            "LC_ALL": "C.UTF-8",
        },
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def attend(process: Process, stdin: Stdin, write: Write) -> int:
    """Feeds a command and passes its output on; its exit status."""
    assert process.stdin and process.stdout and process.stderr
    feeder = asyncio.create_task(_feed(process.stdin, stdin))
    try:
        await asyncio.gather(
            _pump(process.stdout, write, False), _pump(process.stderr, write, True)
        )
        return await process.wait()
    finally:
        feeder.cancel()


def hang_up(process: Process) -> None:
    """Close a command's streams, as sshd does when its connection is gone; it goes on."""
    for number in (0, 1, 2):
        if pipe := process._transport.get_pipe_transport(number):  # type: ignore[attr-defined]
            pipe.close()


def kill(process: Process) -> None:
    """End a command and whatever it has started."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


async def _feed(pipe: asyncio.StreamWriter, stdin: Stdin) -> None:
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        while data := await stdin.get():
            pipe.write(data)
            await pipe.drain()
        pipe.close()


async def _pump(pipe: asyncio.StreamReader, write: Write, is_err: bool) -> None:
    while data := await pipe.read(65536):
        await write(data, is_err)
