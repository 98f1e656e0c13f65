"""The first half of a connection: from an address to a machine that has shown whose it is."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from dlws.core.errors import DeployError
from dlws.core.limits import ANSWER_SECONDS, HELD_SECONDS
from dlws.core.program import PROGRAM
from dlws.ssh.algorithms import chosen, nothing_common, offer
from dlws.ssh.hostkeys import HostKeys, algorithm, fingerprint, pin, written
from dlws.ssh.keys import expiry
from dlws.ssh.packets import HearingPacketizer
from dlws.ssh.transport import Transport, close

if TYPE_CHECKING:
    from pydantic import SecretStr


class ConnectionFailed(DeployError):
    """A machine could not be reached, did not let us in, or went away. `lost`: in mid-command."""

    def __init__(self, message: str, cure: str = "", lost: bool = False) -> None:
        super().__init__(message, cure)
        self.lost = lost


class NothingBehind(ConnectionFailed):
    """A machine let us in, and what was to be reached through it did not answer."""


class LoginRefused(ConnectionFailed):
    """A machine answered, and accepts none of our keys and passwords."""


class JumpHostRefused(LoginRefused):
    """The same of a jump host: the machine behind it was not asked."""


class LeftAtLogin(EOFError):
    """A machine closed the connection in place of an answer to the first way to log in."""


@dataclass(frozen=True)
class Target:
    """Where and how to log in. Times in seconds; 0 switches those off that end or watch a command.

    `machine` is the one of the configuration that is there; a jump host is none. `sends_passwords`:
    whoever is there is told one, be it of this login or of sudo.

    From ~/.ssh/config are `identities` (keys that are tried besides), `algorithms` (their lists,
    by Paramiko's names for them), `known_as` (HostKeyAlias), `agent` (the socket of one),
    `only_identities` (no other keys of an agent's) and `obstacle`: a way that dlws cannot go.
    """

    address: str
    port: int = 22
    user: str = "root"
    key: Path | None = None
    identities: tuple[Path, ...] = ()
    password: SecretStr | str | None = field(default=None, repr=False)
    host_key: str = ""
    machine: str = ""
    sends_passwords: bool = False
    legacy_algorithms: bool = False
    algorithms: tuple[tuple[str, str], ...] = ()
    known_as: str = ""
    obstacle: str = ""
    agent: str = ""
    only_identities: bool = False
    connect_timeout: float = 10
    banner_timeout: float = 15
    auth_timeout: float = 30
    idle_timeout: float = 0
    answer_timeout: float = ANSWER_SECONDS
    held_timeout: float = HELD_SECONDS
    keepalive: float = 15
    retries: int = 2

    def __str__(self) -> str:
        return f"{self.user}@{self.address}:{self.port}"

    @property
    def identity(self) -> tuple[str, int]:
        """The address and port by which its host keys are known."""
        return (self.known_as, 22) if self.known_as else (self.address, self.port)


Dial = Callable[[], Any]
"""Makes a socket to the machine."""


def shown(target: Target, known: HostKeys, dial: Dial) -> Transport:
    """A transport over which a machine has shown its host key, which is not looked at yet.

    It has keys of several kinds, and shows one of the kind that is asked for first: so the kinds
    that are known come first, that another cannot pass as new. A pinned fingerprint does not say
    its kind: all are looked at until it is found; where it is not, it is the first that was shown.
    """
    first = _exchange_keys(target, dial, _order(target, known))
    if not target.host_key or _print(first) == pin(target.host_key):
        return first
    try:
        other = _pinned(target, dial, {algorithm(key_of(first))})
    except BaseException:
        close(first)
        raise
    if other:
        close(first)
    return other or first


def _pinned(target: Target, dial: Dial, seen: set[str]) -> Transport | None:
    """A transport with the pinned key, of a kind that was not seen yet, if there is one."""
    while kinds := [kind for kind in _KINDS if _base(kind) not in seen]:
        try:
            transport = _exchange_keys(target, dial, kinds)
        except IncompatiblePeer:
            return None  # it has no more kinds
        if _print(transport) == pin(target.host_key):
            return transport
        seen.add(algorithm(key_of(transport)))
        close(transport)
    return None


_KINDS: tuple[str, ...] = paramiko.Transport._preferred_keys  # type: ignore[attr-defined]


def _order(target: Target, known: HostKeys) -> list[str]:
    """The kinds of host keys, those that are known of a place first."""
    keys = known.of(*target.identity) | written(target.host_key)
    kinds = set(map(algorithm, keys))
    offered = chosen("key_types", dict(target.algorithms).get("key_types", ""), _KINDS, _KINDS)
    return sorted(offered, key=lambda kind: _base(kind) not in kinds)


def _base(kind: str) -> str:
    """What a key calls itself: one of RSA can sign in several ways."""
    return "ssh-rsa" if kind.startswith("rsa-") else kind


def key_of(transport: Transport) -> bytes:
    """The host key that a machine has shown."""
    return bytes(transport.get_remote_server_key().asbytes())


def _print(transport: Transport) -> str:
    return fingerprint(key_of(transport))


def _exchange_keys(target: Target, dial: Dial, kinds: Sequence[str]) -> Transport:
    transport = Transport(dial(), packetizer_class=HearingPacketizer)
    transport.banner_timeout = target.banner_timeout + 60  # start_client's limit comes first
    if target.legacy_algorithms:
        transport.offer_legacy_algorithms()
    try:
        offer(transport, target.algorithms)
        transport.get_security_options().key_types = tuple(kinds)
        transport.start_client(timeout=target.banner_timeout)
        if not transport.initial_kex_done:
            raise ConnectionFailed(
                f"{target.address} takes connections, but does not answer as an SSH server "
                f"within {target.banner_timeout:g} s",
                _HANDSHAKE_CURE,
            )
    except BaseException as error:
        close(transport)
        if not transport.ident:
            transport.sock.close()  # as its thread would have
        # It may have left before we said that there is nothing to agree on.
        lacking = nothing_common(transport) if isinstance(error, _UNAGREED) else ""
        if lacking:
            raise IncompatiblePeer(lacking) from error
        raise
    return transport


_UNAGREED = (paramiko.SSHException, EOFError, OSError)
AWAY = "is it overloaded, or cut off?"
_HANDSHAKE_CURE = "is it an SSH server, and is it overloaded? ssh.banner_timeout can be raised"


def _login_refused(target: Target) -> LoginRefused:
    words, cure = (
        f"{target.address} does not let {target.user} in",
        f"run: {PROGRAM} sshkey install",
    )
    if not target.machine:
        cure = (
            "give jump_host a key or password of its own in config.yaml: those of nodes stay here"
        )
    if target.key and (ended := expiry(target.key)):
        words += f": the certificate of {target.key} ended on {ended}"
        cure = f"have {target.key}.pub signed anew by its authority"
    return (LoginRefused if target.machine else JumpHostRefused)(words, cure)


_LEGACY_CURE = (
    "let its SSH server allow one of these; ssh.legacy_algorithms: true in config.yaml offers the "
    "weak ciphers and MACs of old ones as well"
)


@contextlib.contextmanager
def translated(target: Target) -> Iterator[None]:
    """Turn what sockets and Paramiko raise into ConnectionFailed, cause kept."""
    try:
        yield
    except DeployError:
        raise
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise _failure(target, error) from error


def _failure(target: Target, error: Exception) -> ConnectionFailed:
    if isinstance(error, paramiko.AuthenticationException):
        return _login_refused(target)
    if isinstance(error, OSError):
        return _unreached(target, error)
    if isinstance(error, LeftAtLogin):
        return ConnectionFailed(
            f"{target.address} closes the connection when {target.user} logs in",
            f"is it starting or shutting down, and may {target.user} log in there?",
        )
    if "Timeout opening channel" in str(error):
        return ConnectionFailed(f"{target.address} no longer answers", AWAY)
    words = str(error) or "it closed the connection"
    cure = _LEGACY_CURE if isinstance(error, IncompatiblePeer) else _HANDSHAKE_CURE
    return ConnectionFailed(f"no SSH with {target.address}: {words}", cure)


def _unreached(target: Target, error: OSError) -> ConnectionFailed:
    where = target.address
    if isinstance(error, socket.gaierror):
        cure = "give the machine a private-ip, or a line in deploy/etc/hosts"
        return ConnectionFailed(f"the name {where} has no address", cure)
    if isinstance(error, ConnectionRefusedError):
        words = f"{where} refuses connections on port {target.port}"
        return ConnectionFailed(words, "is sshd running there?")
    if isinstance(error, TimeoutError):
        cure = "is it switched on, and is the address right?"
        return ConnectionFailed(f"{where} does not answer", cure)
    return ConnectionFailed(f"no connection with {where}: {error.strerror or error}")
