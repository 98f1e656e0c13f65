"""One host of a farm: what listens at its address, what runs there, and what is wrong with it."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import struct
from asyncio.subprocess import Process
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh

from tests.support.farm import hosts, shell
from tests.support.farm.faults import (
    AT_CONNECTION,
    AT_EFFECT,
    AT_LISTENER,
    BANNER,
    NONSENSE,
    OUTLIVED,
    Fault,
    Wrong,
)
from tests.support.farm.recorder import Recorder

REBOOT_TAKES = 0.3
_LIMITS = {
    Fault.DISK_FULL: "trap '' XFSZ; ulimit -f 0; ",
    Fault.DISK_SMALL: "trap '' XFSZ; ulimit -f 128; ",
}
"""No file may grow beyond this: the nearest thing to a full disk that needs no root."""


def _new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


@dataclass
class Host:
    """Its address and secrets, and the state of its machine."""

    name: str
    where: str
    port: int
    server: Callable[[Host, bool], asyncssh.SSHServer]
    """Makes the SSH side of one connection; True: it leaves in mid-login."""
    recorder: Recorder
    client_key: asyncssh.SSHKey
    password: str
    answers: Path | None
    programs: Path | None  # those of real mode; None: fake mode
    key: asyncssh.SSHKey = field(default_factory=_new_key)
    wrong: Wrong = field(default_factory=Wrong)
    connections: int = 0
    logins: int = 0
    commands: int = 0
    struck: bool = False
    processes: set[Process] = field(default_factory=set)
    _open: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    _held: list[Any] = field(default_factory=list)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    _options: dict[Fault, asyncssh.SSHServerConnectionOptions] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        assert self.programs
        return self.programs.parent / self.name

    async def become(self, wrong: Wrong, fresh: bool = False) -> None:
        """Have another fault from now on; `fresh`: as a machine that was never used, too."""
        await self.power_off()
        self.wrong, self.struck = wrong, False
        self.connections = self.logins = self.commands = 0
        if self.programs:
            if fresh:
                shutil.rmtree(self.home, ignore_errors=True)
                (self.home / ".farm/tmp").mkdir(parents=True)
                self._boot()
            self.instruct(AT_EFFECT.get(wrong.fault, ""))
        self._listen()

    def instruct(self, how: str) -> None:
        """Tell the program `effect` where to wait or fail."""
        (self.home / ".farm/effect").write_text(how)

    def _boot(self) -> None:
        (self.home / ".farm/boot").write_text(f"{secrets.token_hex(16)}\n")
        (self.home / ".farm/paused").unlink(missing_ok=True)

    def _listen(self) -> None:
        if self.wrong.fault in AT_LISTENER:
            refused = self.wrong.fault is Fault.REFUSED
            self._held.append((hosts.closed if refused else hosts.dead)(self.where, self.port))
            return
        listener = hosts.closed(self.where, self.port)
        listener.listen(1024)
        listener.setblocking(False)
        self._held.append(listener)
        self.spawn(self._accept(listener))

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            connection, _ = await loop.sock_accept(listener)
            self.connections += 1
            wrong = self.wrong
            hit = wrong.fault in AT_CONNECTION and self._strikes(self.connections)
            self.struck = self.struck or hit
            await self._serve(connection, wrong.fault if hit else Fault.NONE)

    def _strikes(self, number: int) -> bool:
        """Whether the fault strikes at the connection or command of this number."""
        return number > self.wrong.skip and not (self.wrong.once and self.struck)

    async def _serve(self, connection: socket.socket, fault: Fault) -> None:
        if fault in {Fault.RESET, Fault.CLOSE}:
            linger = struct.pack("ii", fault is Fault.RESET, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            connection.close()
        elif fault in {Fault.MUTE, Fault.BANNER, Fault.NONSENSE}:
            self._held.append(connection)
            connection.send(
                {Fault.BANNER: BANNER, Fault.NONSENSE: BANNER + NONSENSE}.get(fault, b"")
            )
        else:
            options, loop = self._secured(fault), asyncio.get_running_loop()
            with contextlib.suppress(OSError):
                await loop.connect_accepted_socket(
                    lambda: asyncssh.SSHServerConnection(loop, options), connection
                )

    def _secured(self, fault: Fault) -> asyncssh.SSHServerConnectionOptions:
        if fault not in self._options:
            self._options[fault] = asyncssh.SSHServerConnectionOptions(
                server_factory=lambda: self.server(self, fault is Fault.LEAVE),
                server_host_keys=[_new_key() if fault is Fault.HOST_KEY else self.key],
                encoding=None,
                gss_host=None,
                login_timeout=60,
            )
        return self._options[fault]

    def seen(self) -> dict[str, int]:
        """How often it was connected and logged in to, and how much still runs there."""
        running = len(self.processes)
        return {"connections": self.connections, "logins": self.logins, "running": running}

    def spawn(self, work: Any) -> asyncio.Task[Any]:
        """Run a coroutine that ends with this host's power."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def opened(self, connection: asyncssh.SSHServerConnection) -> None:
        self._open.add(connection)

    def closed(self, connection: asyncssh.SSHServerConnection) -> None:
        self._open.discard(connection)

    def fault_of_command(self, under_sudo: bool, is_question: bool) -> Fault:
        """The fault that strikes the next command."""
        self.commands += 1
        fault = self.wrong.fault
        aside = fault in AT_CONNECTION | AT_LISTENER or (fault is Fault.SUDO and not under_sudo)
        aside = aside or (fault is Fault.ENDLESS and not is_question)
        return Fault.NONE if aside or not self._strikes(self.commands) else fault

    async def start(self, command: bytes) -> Process:
        assert self.programs
        limit = _LIMITS.get(self.wrong.fault, "")
        self.home.joinpath(".farm/tmp").mkdir(parents=True, exist_ok=True)
        starting = asyncio.ensure_future(shell.start(command, self.home, self.programs, limit))
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:  # half-started it would stay, and wait for input for ever
            self.leave(await starting)
            raise
        self.processes.add(process)
        return process

    def leave(self, process: Process) -> None:
        """What becomes of a command whose connection is gone."""
        if self.wrong.fault in OUTLIVED:
            shell.hang_up(process)
            asyncio.get_running_loop().create_task(self._outlast(process))
        else:
            shell.kill(process)
            self.processes.discard(process)

    async def _outlast(self, process: Process) -> None:
        await process.wait()
        self.processes.discard(process)

    async def reboot(self) -> None:
        """Everything ends at once; nobody is let in for a moment; then it is back, booted anew."""
        await self.power_off()
        self._boot()
        holder = hosts.closed(self.where, self.port)
        self._held.append(holder)
        await asyncio.sleep(REBOOT_TAKES)
        holder.close()
        self._listen()

    async def power_off(self) -> None:
        """End what runs, and whatever listens; connections break."""
        me = asyncio.current_task()
        for connection in list(self._open):
            connection.abort()
        for task in [t for t in self._tasks if t is not me]:
            task.cancel()
        await asyncio.sleep(0)  # cancelled, they take their hands off the sockets closed below
        for process in list(self.processes):
            shell.kill(process)
            await process.wait()
        self.processes.clear()
        for thing in _flat(self._held):
            thing.close()
        self._held.clear()


def _flat(things: list[Any]) -> list[Any]:
    return [x for thing in things for x in (thing if isinstance(thing, list) else [thing])]
