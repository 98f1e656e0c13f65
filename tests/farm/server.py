"""One host of a farm: an SSH server that answers, records and misbehaves as told."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import asyncssh

from tests.farm import answers, shell
from tests.farm.faults import DROP_AFTER, FLOOD_BYTES, NOT_UTF8, SUDO_COMPLAINT, Fault
from tests.farm.recorder import Recorder

_SUDO = re.compile(rb"(^|[;&|({'\"\s])sudo(\s|$)")


@dataclass(frozen=True)
class Behaviour:
    """What every connection of one host needs to know."""

    name: str
    fault: Fault
    recorder: Recorder
    client_key: asyncssh.SSHKey
    password: str
    answers: tuple[answers.Answer, ...]
    programs: Path | None  # those of real mode; None: fake mode


class Server(asyncssh.SSHServer):
    """Lets in any user who has the farm's key or password."""

    def __init__(self, host: Behaviour) -> None:
        self._host = host

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = key.public_data == self._host.client_key.public_data
        return known and self._host.fault is not Fault.AUTH

    def validate_password(self, username: str, password: str) -> bool:
        return password == self._host.password and self._host.fault is not Fault.AUTH

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        return Session(self._host, self._connection)


class Session(asyncssh.SSHServerSession[bytes]):
    """One command: gathers its standard input, and answers from the table or by a real shell."""

    def __init__(self, host: Behaviour, connection: asyncssh.SSHServerConnection) -> None:
        self._host, self._connection = host, connection
        self._stdin, self._pieces = bytearray(), asyncio.Queue[bytes]()
        self._command, self._recorded = b"", False
        self._work: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def exec_requested(self, command: str) -> bool:
        self._command = command.encode(errors="surrogateescape")
        return True

    def session_started(self) -> None:
        fault = self._host.fault
        if fault is Fault.SUDO and _SUDO.search(self._command):
            self._finish(1, err=SUDO_COMPLAINT)
        elif fault is Fault.DROP_COMMAND:
            self._drop()
        elif fault is Fault.EXIT:
            self._finish(7, err=b"it failed, as it was told to\n")
        elif fault is Fault.BINARY:
            self._finish(0, NOT_UTF8)
        elif fault in {Fault.SLOW, Fault.FLOOD}:
            self._work = asyncio.create_task(self._talk(fault))
        elif self._host.programs:
            self._work = asyncio.create_task(self._run(self._host.programs))
        elif fault is not Fault.DROP_UPLOAD:
            self._answer(ended=False)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._stdin += data
        self._pieces.put_nowait(data)
        if self._host.fault is Fault.DROP_UPLOAD and len(self._stdin) >= DROP_AFTER:
            self._drop()

    def eof_received(self) -> bool:
        self._pieces.put_nowait(b"")
        if not self._work and not self._recorded:
            self._answer(ended=True)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._writable.set()
        if self._work:
            self._work.cancel()
        self._record(None)

    def _answer(self, ended: bool) -> None:
        answer = answers.find(self._host.answers, self._command.decode(errors="replace"))
        if ended or not answer.stdin:
            self._finish(answer.code, answer.out.encode(), answer.err.encode())

    async def _talk(self, fault: Fault) -> None:
        if fault is Fault.SLOW:
            for number in range(10):
                await self._write(b"line %d\n" % number, False)
                await asyncio.sleep(0.2)
        else:
            line = b"0123456789abcdef" * 6 + b"xyz\n"
            for _ in range(FLOOD_BYTES // (len(line) * 500)):
                await self._write(line * 500, False)
        self._finish(0)

    async def _run(self, programs: Path) -> None:
        home = programs.parent / self._host.name
        self._finish(await shell.run(self._command, home, programs, self._pieces, self._write))

    async def _write(self, data: bytes, is_err: bool) -> None:
        await self._writable.wait()
        (self._channel.write_stderr if is_err else self._channel.write)(data)

    def _finish(self, code: int, out: bytes = b"", err: bytes = b"") -> None:
        """Records, then answers: whoever has seen the exit status finds the record."""
        self._record(code)
        if self._host.fault is Fault.NO_ANSWER:
            self._connection.abort()
            return
        self._channel.write(out)
        self._channel.write_stderr(err)
        self._channel.exit(code)

    def _drop(self) -> None:
        self._record(None)
        self._connection.abort()

    def _record(self, code: int | None) -> None:
        if self._command and not self._recorded:
            self._recorded = True
            user = self._connection.get_extra_info("username")
            stdin = bytes(self._stdin)
            self._host.recorder.command(self._host.name, user, self._command, stdin, code)
