"""A connection to one machine over SSH, by Paramiko."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko

from dlws.core.connection import KEEP, Echo, Halt, Result, Stdin, Tail
from dlws.core.errors import DeployError, UsageError
from dlws.core.limits import ANSWER, Bounds, Unanswered
from dlws.core.program import PROGRAM
from dlws.secrets.redaction import revealed
from dlws.ssh.agent import agent_at
from dlws.ssh.handshake import (
    ConnectionFailed,
    LeftAtLogin,
    NothingBehind,
    Target,
    key_of,
    shown,
    translated,
)
from dlws.ssh.hostkeys import HostKeys
from dlws.ssh.keepalive import Liveness
from dlws.ssh.keys import KeyLocked, Keys, both, public
from dlws.ssh.loginshell import (
    MISWRITTEN,
    PROBE,
    STATUS,
    CommandNotRun,
    OutputLost,
    StatusLost,
)
from dlws.ssh.streams import Begun, OutputReader, StdinWriter, start
from dlws.ssh.transport import Transport, Wakeup, close

Meet = Callable[[Sequence["Ssh"]], None]


class Ssh:
    """One machine's connection, opened at first use and kept."""

    def __init__(
        self,
        target: Target,
        known: HostKeys,
        keys: Keys,
        via: Ssh | None = None,
        agent: bool = False,
        halt: Halt | None = None,
        meet: Meet | None = None,
    ) -> None:
        """`meet` is asked to have new host keys accepted before passwords are sent."""
        self.target, self.meet = target, meet
        self._halt = halt or Halt()
        self.known, self.via = known, via
        self._keys, self._agent = keys, agent
        self._lock, self._proving = threading.Lock(), threading.Lock()
        self._transport: Transport | None = None
        self._runs_commands: Transport | None = None
        self._failure: tuple[float, DeployError] | None = None

    def run(
        self,
        command: str,
        stdin: Stdin = b"",
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result:
        try:
            if stdin:
                self._prove()
            return self._run(command, stdin, echo, keep, bounds)
        except ConnectionFailed:
            self._halt.check()  # it may be why the connection is gone
            raise

    def _run(
        self, command: str, stdin: Stdin, echo: Echo | None, keep: int, bounds: Bounds | None
    ) -> Result:
        channel = self.session()
        bell = Wakeup.of(channel)
        out, err = Tail(keep), Tail(keep)
        after = contextlib.ExitStack()
        with after, translated(self.target), contextlib.closing(channel):
            self._halt.check()
            transport = channel.get_transport()
            sign = Begun(channel) if bounds and bounds.last else transport.ask_ahead()
            sink = OutputReader(channel, out, err, echo, bounds.size if bounds else 0)
            liveness = Liveness(self.target, transport, sign, bool(bounds and bounds.timely))
            start(channel, command)
            after.callback(StdinWriter(channel, stdin).join)
            try:
                held = self._listen(channel, bell, sink, liveness)
            except (ConnectionFailed, Unanswered) as error:
                if error.lost:
                    self.close()  # nothing more goes over a link that hangs, or is flooded
                raise
        result = Result(channel.exit_status, out.value(), err.value(), out.lost + err.lost, held)
        self._judge(command, result, sink)
        if sink.begun:
            self._runs_commands = transport
        return result

    def _judge(self, command: str, result: Result, sink: OutputReader) -> None:
        """Raises ConnectionFailed where a login shell kept a command or its output to itself."""
        if sink.begun and sink.lost:
            raise OutputLost(self.target, sink.lost)
        unread = command != PROBE and not result.ok and MISWRITTEN.search(result.complaint)
        if not sink.begun and not unread:
            raise CommandNotRun(self.target, result)

    def _prove(self) -> None:
        """See that a command is run at all, and its status kept, before one gets input: another
        program that a login shell starts in its place could take that for commands."""
        with self._proving:
            if self._transport is None or self._transport is not self._runs_commands:
                code = self._run(PROBE, b"", None, KEEP, ANSWER).code
                if code != STATUS:
                    self._runs_commands = None
                    raise StatusLost(self.target, code)

    def _listen(
        self, channel: paramiko.Channel, bell: Wakeup, sink: OutputReader, liveness: Liveness
    ) -> bool:
        """Take what arrives until the command has ended; whether its output is held still."""
        held = False
        while True:
            liveness.wait(bell)
            liveness.ended = channel.status_event.is_set()
            done = channel.closed or (channel.eof_received and liveness.ended)
            now, some = time.monotonic(), sink.drain()
            liveness.begun = sink.begun
            if done:
                break
            liveness.look(now, some)
            if held := liveness.held(now):
                break
        sink.drain()
        sink.end()
        if not channel.status_event.is_set() or channel.exit_status == -1:
            raise self._unended(channel.get_transport().is_active())
        return held

    def _unended(self, active: bool) -> ConnectionFailed:
        """Why a command has no exit status."""
        if active:
            return ConnectionFailed(
                "the machine ended the session without an exit status",
                f"does it let {self.target.user} run commands?",
            )
        return ConnectionFailed(
            "the connection was lost while a command ran",
            "look at the machine; what ran there may have ended, or may still run",
            lost=True,
        )

    def as_user(self, user: str, password: str) -> Ssh:
        """A connection of its own to the same machine, with another user's password."""
        target = replace(self.target, user=user, password=password, key=None, identities=())
        return Ssh(target, self.known, self._keys, self.via, halt=self._halt, meet=self.meet)

    def by_key(self) -> Ssh:
        """A connection of its own to the same machine, by nothing but the key file."""
        target = replace(self.target, password=None, sends_passwords=False, identities=())
        return Ssh(target, self.known, self._keys, self.via, halt=self._halt)

    @property
    def jumps(self) -> list[Ssh]:
        """The jump hosts before it, the outermost first."""
        return _before(self)

    @property
    def sends_passwords(self) -> bool:
        return self.target.sends_passwords or self.target.password is not None

    @property
    def only_by_key(self) -> bool:
        return not (self.target.password or self.target.identities or self._agent)

    def session(self) -> Any:
        """A new session channel."""
        return self._open(lambda t: t.session(self.target.connect_timeout))

    def forward(self, address: str, port: int) -> Any:
        """A channel to a TCP port as the machine reaches it."""
        place, origin = (address, port), ("127.0.0.1", 0)
        limit = self.target.connect_timeout
        try:
            return self._open(
                lambda t: t.open_channel("direct-tcpip", place, origin, timeout=limit),
                patience=limit,
            )
        except ConnectionFailed as error:
            if not isinstance(error.__cause__, paramiko.ChannelException):
                raise
            raise NothingBehind(
                f"{self.target.address} cannot reach {address} port {port}: {error.__cause__.text}",
                "is it switched on, and does sshd on the jump host allow forwarding?",
            ) from error

    def forward_socket(self, path: str) -> Any:
        """A channel to a Unix socket of the machine's."""
        try:
            return self._open(lambda t: t.to_socket(path, self.target.connect_timeout))
        except ConnectionFailed as error:
            if not isinstance(error.__cause__, paramiko.ChannelException):
                raise
            raise NothingBehind(
                f"{self.target.address} has no socket {path} for {self.target.user}",
                "does it exist, and does sshd there allow forwarding to sockets?",
            ) from error

    def _open(self, opener: Callable[[Transport], Any], patience: float = 0) -> Any:
        """Open a channel, and first the connection where there is none. If connecting failed less
        than `patience` seconds ago, raise that error again at once."""
        with self._lock:
            self._halt.check()
            if self._failure and time.monotonic() - self._failure[0] < patience:
                raise self._failure[1]
            transport = self._transport
            if transport is None or not transport.is_active():
                try:
                    transport = self._transport = self._connect()
                except DeployError as error:
                    self._failure = time.monotonic(), error
                    raise
        with translated(self.target):
            return opener(transport)

    def _connect(self) -> Transport:
        """A logged-in transport; failures that may pass are retried within connect_timeout."""
        self._see_the_way()
        if self.sends_passwords and self.meet:
            self.meet([self])
        deadline = time.monotonic() + self.target.connect_timeout
        for attempt in range(self.target.retries + 1):
            pause = 0.25 * 2**attempt
            try:
                with translated(self.target):
                    return self._log_in(self._shake_hands(deadline))
            except ConnectionFailed as error:
                last = attempt == self.target.retries or time.monotonic() + pause > deadline
                if last or not _passing(error.__cause__):
                    raise
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def _see_the_way(self) -> None:
        if obstacle := self.target.obstacle:
            raise UsageError(
                f"~/.ssh/config has {obstacle} for {self.target.address}: dlws cannot do that",
                "give jump_host in config.yaml, or ssh.config: false to go there directly",
            )

    def host_key(self) -> bytes:
        """The host key that is shown there now; nothing but keys is exchanged, nobody logs in."""
        self._see_the_way()
        with translated(self.target):
            transport = self._shown(time.monotonic() + self.target.connect_timeout)
            try:
                return key_of(transport)
            finally:
                close(transport)

    def _shake_hands(self, deadline: float) -> Transport:
        """A transport whose host key is that of the machine."""
        target, transport = self.target, self._shown(deadline)
        try:
            key, place = key_of(transport), target.identity
            self.known.check(*place, key, target.host_key, target.machine, self.sends_passwords)
        except BaseException:
            close(transport)
            raise
        return transport

    def _shown(self, deadline: float) -> Transport:
        return shown(self.target, self.known, lambda: self._dial(deadline))

    def _dial(self, deadline: float) -> Any:
        """A socket to the machine, or a channel of the jump host's."""
        address, port = self.target.address, self.target.port
        if self.via:
            return self.via.forward(address, port)
        sock = socket.create_connection((address, port), max(0.1, deadline - time.monotonic()))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # However we end, what was not delivered by then is dropped: a command that waits for a
        # link to heal must not reach the machine when somebody else is at work there.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return sock

    def _log_in(self, transport: Transport) -> Transport:
        transport.auth_timeout = self.target.auth_timeout
        try:
            with contextlib.ExitStack() as held:
                for number, attempt in enumerate(self._credentials(transport, held)):
                    _try(attempt)
                    if transport.is_authenticated():
                        return transport
                    if not transport.is_active():
                        # After a refusal it is one more: sshd leaves who tries too often.
                        raise paramiko.AuthenticationException if number else LeftAtLogin
            raise paramiko.AuthenticationException
        except BaseException:
            close(transport)
            raise

    def _credentials(
        self, transport: Transport, held: contextlib.ExitStack
    ) -> list[Callable[[], object]]:
        """Ways to log in, each a call: the key file, the agent's keys, the password."""
        target, user = self.target, self.target.user
        ways: list[Callable[[], object]] = [
            lambda key=key: transport.auth_publickey(user, key)  # type: ignore[misc]
            for key in self._private_keys(held)
        ]
        if target.password is not None:
            ways.append(lambda: transport.auth_password(user, revealed(target.password) or ""))
        if not ways:
            missing = f": {target.key} does not exist" if target.key else ""
            raise UsageError(
                f"there is no key or password for {target}{missing}",
                f"run: {PROGRAM} build, then: {PROGRAM} sshkey install; "
                "or let ssh.key in config.yaml name a key",
            )
        return ways

    def _private_keys(self, held: contextlib.ExitStack) -> list[paramiko.PKey]:
        """The key file's key, those of ~/.ssh/config, then the agent's. Of one that the agent holds
        the file is not read: nobody is asked for its passphrase."""
        agents: list[paramiko.PKey] = []
        if self._agent:
            # One each: Paramiko's agent connection cannot be used by several threads.
            agent = agent_at(self.target.agent)
            held.callback(agent._close)
            agents.extend(agent.get_keys())
        keys: list[paramiko.PKey] = []
        for file in filter(None, (self.target.key, *self.target.identities)):
            mine = public(file) if agents else b""
            keys += [key for key in agents if mine and key.asbytes() == mine] or self._of(file)
        rest = [] if self.target.only_identities else agents
        return [*keys, *(key for key in rest if key not in keys)]

    def _of(self, file: Path) -> list[paramiko.PKey]:
        """A file's key. One that ~/.ssh/config names may be for elsewhere: it is left out where
        it cannot be used."""
        if not file.exists():
            return []
        passed = [UsageError] if file != self.target.key else [KeyLocked] if self._agent else []
        with contextlib.suppress(*passed):
            return both(self._keys.load(file))
        return []

    def close(self) -> None:
        """Close it at once, whoever uses it; the next command opens it anew."""
        transport, self._transport = self._transport, None
        if transport:
            close(transport)


def _before(connection: Ssh) -> list[Ssh]:
    via = connection.via
    return [*_before(via), via] if via else []


def ways(connections: Iterable[Ssh]) -> list[list[Ssh]]:
    """The jump hosts before some machines, each once: the outermost ones, those behind them, ..."""
    levels: list[dict[int, Ssh]] = []
    for connection in connections:
        for depth, jump in enumerate(_before(connection)):
            levels += [{}] if depth == len(levels) else []
            levels[depth].setdefault(id(jump), jump)
    return [list(level.values()) for level in levels]


def _try(attempt: Callable[[], object]) -> None:
    """One way to log in; that it is refused says nothing of the next one."""
    try:
        attempt()
    except paramiko.AuthenticationException as error:
        if "timeout" in str(error).lower():
            raise TimeoutError from error


def _passing(cause: BaseException | None) -> bool:
    """Whether to try again: a busy sshd refuses, resets or closes, a dead one is silent."""
    busy = ("reset by peer", "Error reading SSH protocol banner")
    shut = isinstance(cause, paramiko.SSHException) and any(words in str(cause) for words in busy)
    return shut or isinstance(cause, ConnectionError | EOFError)
