"""Runs a command of a host for real, by sh, in the host's own directory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path

SUDO = """#!/bin/sh
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

Stdin = asyncio.Queue[bytes]
"""Pieces of standard input; an empty piece is its end."""
Write = Callable[[bytes, bool], Awaitable[None]]
"""Sends output: (data, is it standard error)."""


def prepare(directory: Path) -> Path:
    """Makes the directory of programs that come before the machine's own."""
    programs = directory / "bin"
    programs.mkdir()
    (programs / "sudo").write_text(SUDO)
    (programs / "sudo").chmod(0o755)
    return programs


async def run(command: bytes, home: Path, programs: Path, stdin: Stdin, write: Write) -> int:
    """The command's exit status. Cancelled, it takes the command's whole process group along."""
    home.mkdir(exist_ok=True)
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        "-c",
        command,
        cwd=home,
        env={"HOME": str(home), "PATH": f"{programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin and process.stdout and process.stderr
    feeder = asyncio.create_task(_feed(process.stdin, stdin))
    try:
        await asyncio.gather(
            _pump(process.stdout, write, False), _pump(process.stderr, write, True)
        )
        return await process.wait()
    finally:
        feeder.cancel()
        if process.returncode is None:
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
