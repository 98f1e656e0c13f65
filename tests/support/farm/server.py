"""The SSH side of a host: answers, records and misbehaves as told."""

from __future__ import annotations

import asyncio
import itertools
import os
import re

import asyncssh

from dlws.shell.marked import MARK
from dlws.ssh.loginshell import PROBE, STATUS
from tests.support.commands import unmarked
from tests.support.farm import answers, shell
from tests.support.farm.faults import (
    AT_EFFECT,
    AT_UPLOAD,
    ESCAPES,
    FLOOD_BYTES,
    FORGED,
    NOT_UTF8,
    SUDO_COMPLAINT,
    Fault,
)
from tests.support.farm.host import Host

_SUDO = re.compile(rb"(^|[;&|({'\"\s])sudo(\s|$)")
_QUESTION = re.compile(rb"dlws/lock|%a %U:%G|up_since=|--kill-after|dlws-verify")
"""What stands in questions: to the lock, about files, of status, check and verify."""
_DROPS = {Fault.DROP_COMMAND, Fault.DROP_UPLOAD, Fault.DROP_MIDWAY, Fault.NO_ANSWER}
_FREEZES = {Fault.FREEZE, Fault.FREEZE_MIDWAY}
_OF_ONES_OWN = {Fault.EXIT, Fault.BINARY, Fault.ESCAPES, Fault.SLOW, Fault.FLOOD, Fault.ENDLESS}
_REBOOTS = {Fault.REBOOT_BEFORE, Fault.REBOOT_AFTER, Fault.REBOOT_UPLOAD}


class Server(asyncssh.SSHServer):
    """Lets in any user who has the farm's key or password."""

    def __init__(self, host: Host, leaves: bool) -> None:
        self._host, self._leaves = host, leaves

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._host.opened(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._host.closed(self._connection)

    def begin_auth(self, username: str) -> bool:
        self._host.logins += 1
        if self._leaves:
            self._connection.abort()
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        known = key.public_data == self._host.client_key.public_data
        return known and self._host.wrong.fault is not Fault.AUTH

    def validate_password(self, username: str, password: str) -> bool:
        self._host.recorder.password(self._host.name, username, password)
        return password == self._host.password and self._host.wrong.fault is not Fault.AUTH

    def session_requested(self) -> asyncssh.SSHServerSession[bytes]:
        return Session(self._host, self._connection)


class Session(asyncssh.SSHServerSession[bytes]):
    """One command: gathers its standard input, and answers from the table or by a real shell."""

    def __init__(self, host: Host, connection: asyncssh.SSHServerConnection) -> None:
        self._host, self._connection = host, connection
        self._stdin, self._pieces = bytearray(), asyncio.Queue[bytes]()
        self._command, self._recorded, self._marks = b"", False, False
        self._fault, self._struck, self._mute = Fault.NONE, False, False
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
        sent = unmarked(command)
        self._marks = sent is not None
        self._command = os.fsencode(command if sent is None else sent)
        return True

    def session_started(self) -> None:
        fault = self._fault = self._host.fault_of_command(
            bool(_SUDO.search(self._command)), bool(_QUESTION.search(self._command))
        )
        if self._command == PROBE.encode() and fault in _OF_ONES_OWN:
            fault = self._fault = Fault.NONE  # it is for what people run
        if fault not in AT_UPLOAD | set(AT_EFFECT) | {Fault.NONE}:
            self._struck = self._host.struck = True
        if fault not in {Fault.DROP_COMMAND, Fault.FREEZE, Fault.NO_ANSWER}:
            self._mark()
        if fault is Fault.SUDO:
            self._finish(1, err=SUDO_COMPLAINT)
        elif fault in {Fault.DROP_COMMAND, Fault.FREEZE}:
            self._strike()
        elif fault is Fault.EXIT:
            self._finish(7, err=b"it failed, as it was told to\n")
        elif fault is Fault.BINARY:
            self._finish(0, NOT_UTF8)
        elif fault is Fault.ESCAPES:
            self._finish(1, ESCAPES, ESCAPES)
        elif fault in {Fault.SLOW, Fault.FLOOD, Fault.ENDLESS}:
            self._work = asyncio.create_task(self._talk(fault))
        elif self._host.programs:
            self._work = asyncio.create_task(self._run(self._host))
        elif fault is not Fault.DROP_UPLOAD:
            self._answer(ended=False)

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        if self._mute:
            return
        left = self._host.wrong.size - len(self._stdin)
        self._stdin += data
        if self._fault in AT_UPLOAD and len(data) >= left:
            self._pieces.put_nowait(data[:left])
            self._pieces.put_nowait(b"")
            self._mute = True
            self._host.spawn(self._break_upload())
            return
        self._pieces.put_nowait(data)

    def eof_received(self) -> bool:
        if not self._mute:
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
        if self._command == PROBE.encode():
            self._finish(STATUS)
            return
        answer = answers.find(
            answers.load(self._host.answers), self._command.decode(errors="replace")
        )
        if ended or not answer.stdin:
            self._finish(answer.code, answer.out.encode(), answer.err.encode())

    async def _talk(self, fault: Fault) -> None:
        if fault is Fault.SLOW:
            for number in range(10):
                await self._write(b"line %d\n" % number, False)
                await asyncio.sleep(0.2)
        else:
            line = b"0123456789abcdef" * 6 + b"xyz\n"
            times = FLOOD_BYTES // (len(line) * 500)
            for _ in range(times) if fault is Fault.FLOOD else itertools.count():
                await self._write(line * 500, False)
                await asyncio.sleep(0)  # it may be over, if nobody listens any more
        self._finish(0)

    async def _run(self, host: Host) -> None:
        if self._fault is Fault.LATE:
            await asyncio.sleep(0.5)
        process = await host.start(self._command)
        if self._fault in AT_EFFECT:
            host.spawn(self._break_midway(host))
        try:
            code = await shell.attend(process, self._pieces, self._write)
            host.processes.discard(process)
        finally:
            if process in host.processes:
                host.leave(process)
        self._finish(code)
        if (host.home / ".farm/reboot").exists():
            (host.home / ".farm/reboot").unlink()
            host.spawn(host.reboot())

    async def _write(self, data: bytes, is_err: bool) -> None:
        await self._writable.wait()
        if not self._mute:
            self._mark()
            (self._channel.write_stderr if is_err else self._channel.write)(data)

    def _mark(self) -> None:
        """What a shell would have printed for the words that were taken off the command."""
        if self._marks:
            self._marks = False
            self._channel.write(MARK)
            self._channel.write_stderr(MARK)

    def _finish(self, code: int, out: bytes = b"", err: bytes = b"") -> None:
        """Records, then answers: whoever has seen the exit status finds the record."""
        if self._fault is Fault.EFFECT_EXIT and code == 7:
            self._struck = True
        self._record(code)
        if self._mute:
            return
        if self._fault is Fault.NO_ANSWER:
            self._strike()
            return
        self._mark()
        forged = FORGED if self._fault is Fault.FORGED else b""
        self._channel.write(out + forged)
        self._channel.write_stderr(err + forged)
        self._channel.exit(code)

    async def _break_upload(self) -> None:
        """Once the command has all that arrived before."""
        self._struck = True
        self._record(None)
        while not self._pieces.empty() and self._work and not self._work.done():
            await asyncio.sleep(0.01)
        self._strike()

    async def _break_midway(self, host: Host) -> None:
        """Once `effect` waits for it."""
        paused = host.home / ".farm/paused"
        while not paused.exists():
            if self._work and self._work.done():
                return
            await asyncio.sleep(0.01)
        if host.wrong.once:
            host.instruct("")
        self._struck = True
        self._strike()
        if self._fault not in _REBOOTS:
            paused.unlink()

    def _strike(self) -> None:
        self._mute = self._struck = self._host.struck = True
        self._record(None)
        if self._fault in _DROPS:
            self._connection.abort()
        elif self._fault in _FREEZES:
            self._connection._transport.pause_reading()  # type: ignore[union-attr]
        elif self._fault in _REBOOTS:
            self._host.spawn(self._host.reboot())

    def _record(self, code: int | None) -> None:
        if self._command and not self._recorded:
            self._recorded = True
            self._host.recorder.command(
                self._host.name,
                self._connection.get_extra_info("username"),
                self._command,
                bytes(self._stdin),
                code,
                self._fault.value if self._struck else "",
            )
