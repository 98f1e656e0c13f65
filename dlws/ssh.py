"""A connection to one machine over SSH, by Paramiko."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.common import cMSG_GLOBAL_REQUEST

from dlws.connection import KEEP, Echo, Halt, Result, Stdin, Tail
from dlws.errors import DeployError, UsageError
from dlws.hostkeys import HostKeys, algorithm
from dlws.keys import KeyLocked, Keys
from dlws.secrecy import revealed
from dlws.transport import Asked, Bell, Feeder, HearingPacketizer, Transport, close, sink, start

if TYPE_CHECKING:
    from pydantic import SecretStr

_SILENCES = 4
"""Unanswered keepalives until a machine counts as gone."""


class ConnectionFailed(DeployError):
    """A machine could not be reached, did not let us in, or went away. `lost`: in mid-command."""

    def __init__(self, message: str, cure: str = "", lost: bool = False) -> None:
        super().__init__(message, cure)
        self.lost = lost


class LoginRefused(ConnectionFailed):
    """A machine answered, and accepts none of our keys and passwords."""


@dataclass(frozen=True)
class Target:
    """Where and how to log in. Times in seconds; 0 switches idle_timeout and keepalive off.

    `machine` is the one of the configuration that is there; a jump host is none.
    """

    address: str
    port: int = 22
    user: str = "root"
    key: Path | None = None
    password: SecretStr | str | None = field(default=None, repr=False)
    host_key: str = ""
    machine: str = ""
    connect_timeout: float = 10
    banner_timeout: float = 15
    auth_timeout: float = 30
    idle_timeout: float = 0
    keepalive: float = 15
    retries: int = 2

    def __str__(self) -> str:
        return f"{self.user}@{self.address}:{self.port}"


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
    ) -> None:
        self.target = target
        self._halt = halt or Halt()
        self.known, self.via = known, via
        self._keys, self._agent = keys, agent
        self._lock = threading.Lock()
        self._transport: Transport | None = None
        self._failure: tuple[float, DeployError] | None = None

    def run(
        self, command: str, stdin: Stdin = b"", echo: Echo | None = None, keep: int = KEEP
    ) -> Result:
        try:
            return self._run(command, stdin, echo, keep)
        except ConnectionFailed:
            self._halt.check()  # it may be why the connection is gone
            raise

    def _run(self, command: str, stdin: Stdin, echo: Echo | None, keep: int) -> Result:
        channel = self.session()
        bell = Bell()
        channel.in_buffer.set_event(bell)
        channel.in_stderr_buffer.set_event(bell)
        out, err = Tail(keep), Tail(keep)
        after = contextlib.ExitStack()
        with after, contextlib.closing(channel), _translated(self.target):
            self._halt.check()
            ahead = channel.get_transport().ask_ahead()
            start(channel, command)
            after.callback(Feeder(channel, stdin).join)
            try:
                self._listen(channel, bell, sink(channel, out, err, echo), ahead)
            except ConnectionFailed as error:
                if error.lost:
                    self.close()  # nothing more goes over a link that hangs
                raise
        return Result(channel.exit_status, out.value(), err.value(), out.lost + err.lost)

    def _listen(
        self, channel: paramiko.Channel, bell: Bell, drain: Callable[[], bool], ahead: Asked | None
    ) -> None:
        transport: Any = channel.get_transport()
        target = self.target
        begun = active = pinged = time.monotonic()
        while True:
            # The channel that was asked for with the command tells whether anyone answers.
            ahead = None if ahead is None or ahead.answered else ahead
            limit = target.connect_timeout if ahead else 0
            waits = (target.keepalive, target.idle_timeout, limit)
            bell.wait(min(filter(None, waits), default=None))
            bell.quiet()
            done = channel.closed or (channel.eof_received and channel.status_event.is_set())
            now = time.monotonic()
            if drain():
                active = now
            if done:
                break
            if ahead and not ahead.answered and now - begun >= target.connect_timeout:
                raise ConnectionFailed(f"{target.address} no longer answers", _AWAY, lost=True)
            if target.idle_timeout and now - active >= target.idle_timeout:
                raise ConnectionFailed(
                    f"no output for {target.idle_timeout:g} s",
                    "ssh.idle_timeout says how long a command may be silent",
                    lost=True,
                )
            quiet = now - max(pinged, transport.packetizer.heard)
            if target.keepalive and quiet >= target.keepalive:
                self._ping(transport, now)
                pinged = now
        drain()
        if not channel.status_event.is_set() or channel.exit_status == -1:
            if transport.is_active():
                raise ConnectionFailed(
                    "the machine ended the session without an exit status",
                    f"does it let {target.user} run commands?",
                )
            raise ConnectionFailed(
                "the connection was lost while a command ran",
                "look at the machine; what ran there may have ended, or may still run",
                lost=True,
            )

    def _ping(self, transport: Any, now: float) -> None:
        silence = now - transport.packetizer.heard
        if silence > _SILENCES * self.target.keepalive:
            raise ConnectionFailed(
                f"has not answered for {_SILENCES * self.target.keepalive:g} s",
                "is it overloaded, or cut off? what ran there may still run",
                lost=True,
            )
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)  # Paramiko's own keepalive asks for no answer
        transport._send_user_message(message)

    def as_user(self, user: str, password: str) -> Ssh:
        """A connection of its own to the same machine, with another user's password."""
        target = replace(self.target, user=user, password=password, key=None)
        return Ssh(target, self.known, self._keys, self.via, halt=self._halt)

    def by_key(self) -> Ssh:
        """A connection of its own to the same machine, by nothing but the key file."""
        target = replace(self.target, password=None)
        return Ssh(target, self.known, self._keys, self.via, halt=self._halt)

    @property
    def only_by_key(self) -> bool:
        return self.target.password is None and not self._agent

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
            raise ConnectionFailed(
                f"{self.target.address} cannot reach {address} port {port}: {error.__cause__.text}",
                "is it switched on, and does sshd on the jump host allow forwarding?",
            ) from error

    def _open(self, opener: Callable[[Transport], Any], patience: float = 0) -> Any:
        """Open a channel, and the connection before where it is not. A failure to connect is
        that of all who ask within `patience` seconds of it: those who waited do not wait anew."""
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
        with _translated(self.target):
            return opener(transport)

    def _connect(self) -> Transport:
        """A logged-in transport; failures that may pass are retried within connect_timeout."""
        deadline = time.monotonic() + self.target.connect_timeout
        for attempt in range(self.target.retries + 1):
            pause = 0.25 * 2**attempt
            try:
                with _translated(self.target):
                    return self._log_in(self._shake_hands(deadline))
            except ConnectionFailed as error:
                last = attempt == self.target.retries or time.monotonic() + pause > deadline
                if last or not _passing(error.__cause__):
                    raise
            time.sleep(pause)
        raise AssertionError("the last attempt returns or raises")

    def host_key(self) -> bytes:
        """The host key that is shown there now; nothing but keys is exchanged, nobody logs in."""
        with _translated(self.target):
            transport = self._exchange_keys(time.monotonic() + self.target.connect_timeout)
            try:
                return bytes(transport.get_remote_server_key().asbytes())
            finally:
                close(transport)

    def _shake_hands(self, deadline: float) -> Transport:
        """A transport whose host key is that of the machine."""
        target, transport = self.target, self._exchange_keys(deadline)
        try:
            key = transport.get_remote_server_key().asbytes()
            self.known.check(target.address, target.port, key, target.host_key, target.machine)
        except BaseException:
            close(transport)
            raise
        return transport

    def _exchange_keys(self, deadline: float) -> Transport:
        target = self.target
        if self.via:
            sock = self.via.forward(target.address, target.port)
        else:
            left = max(0.1, deadline - time.monotonic())
            sock = socket.create_connection((target.address, target.port), left)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            # However we end, what was not delivered by then is dropped: a command that waits for
            # a link to heal must not reach the machine when somebody else is at work there.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport = Transport(sock, packetizer_class=HearingPacketizer)
        transport.banner_timeout = target.banner_timeout + 60  # start_client's limit comes first
        try:
            self._prefer_known(transport)
            transport.start_client(timeout=target.banner_timeout)
            if not transport.initial_kex_done:
                raise ConnectionFailed(
                    f"{target.address} takes connections, but does not answer as an SSH server "
                    f"within {target.banner_timeout:g} s",
                    _HANDSHAKE_CURE,
                )
        except BaseException:
            close(transport)
            raise
        return transport

    def _prefer_known(self, transport: paramiko.Transport) -> None:
        """Ask for the kinds of key that are known, so that another kind cannot pass as new."""
        known = {algorithm(key) for key in self.known.of(self.target.address, self.target.port)}
        options = transport.get_security_options()
        rsa = {"rsa-sha2-512", "rsa-sha2-256"} if "ssh-rsa" in known else set()
        types = sorted(options.key_types, key=lambda kind: kind not in known | rsa)
        options.key_types = tuple(types)

    def _log_in(self, transport: Transport) -> Transport:
        transport.auth_timeout = self.target.auth_timeout
        try:
            with contextlib.ExitStack() as held:
                for attempt in self._credentials(transport, held):
                    _try(attempt)
                    if transport.is_authenticated():
                        return transport
            raise paramiko.AuthenticationException
        except BaseException:
            close(transport)
            raise

    def _credentials(
        self, transport: Transport, held: contextlib.ExitStack
    ) -> list[Callable[[], object]]:
        """Ways to log in, each a call: the key file, the agent's keys, the password."""
        target, user = self.target, self.target.user
        keys: list[paramiko.PKey] = []
        if target.key and target.key.exists():
            # The agent may hold what a key file keeps behind a passphrase.
            with contextlib.suppress(*([KeyLocked] if self._agent else [])):
                keys.append(self._keys.load(target.key))
        if self._agent:
            # One each: Paramiko's agent connection cannot be used by several threads.
            agent = paramiko.Agent()
            held.callback(agent.close)
            keys.extend(agent.get_keys())
        ways: list[Callable[[], object]] = [
            lambda key=key: transport.auth_publickey(user, key)  # type: ignore[misc]
            for key in keys
        ]
        if target.password is not None:
            ways.append(lambda: transport.auth_password(user, revealed(target.password) or ""))
        if not ways:
            raise UsageError(
                f"there is no key or password for {target}",
                "run: deploy.py build, then: deploy.py sshkey install",
            )
        return ways

    def close(self) -> None:
        """Close it at once, whoever uses it; the next command opens it anew."""
        transport, self._transport = self._transport, None
        if transport:
            close(transport)


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


_AWAY = "is it overloaded, or cut off?"
_HANDSHAKE_CURE = "is it an SSH server, and is it overloaded? ssh.banner_timeout can be raised"


@contextlib.contextmanager
def _translated(target: Target) -> Any:
    """Turn what sockets and Paramiko raise into ConnectionFailed, cause kept."""
    try:
        yield
    except DeployError:
        raise
    except socket.gaierror as error:
        raise ConnectionFailed(
            f"the name {target.address} has no address",
            "give the machine a private-ip, or a line in deploy/etc/hosts",
        ) from error
    except ConnectionRefusedError as error:
        raise ConnectionFailed(
            f"{target.address} refuses connections on port {target.port}", "is sshd running there?"
        ) from error
    except paramiko.AuthenticationException as error:
        raise LoginRefused(
            f"{target.address} does not let {target.user} in", "run: deploy.py sshkey install"
        ) from error
    except TimeoutError as error:
        raise ConnectionFailed(
            f"{target.address} does not answer", "is it switched on, and is the address right?"
        ) from error
    except (paramiko.SSHException, EOFError) as error:
        if "Timeout opening channel" in str(error):
            raise ConnectionFailed(f"{target.address} no longer answers", _AWAY) from error
        words = str(error) or "it closed the connection"
        raise ConnectionFailed(f"no SSH with {target.address}: {words}", _HANDSHAKE_CURE) from error
    except OSError as error:
        words = error.strerror or str(error)
        raise ConnectionFailed(f"no connection with {target.address}: {words}") from error
