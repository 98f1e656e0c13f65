"""What a connection over SSH is made of: Paramiko's transport, mended, and its channels."""

from __future__ import annotations

import contextlib
import logging
import signal
import socket
import struct
import threading
from collections.abc import Mapping
from typing import Any

import paramiko
from paramiko.auth_handler import AuthHandler
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
    cMSG_CHANNEL_OPEN,
    cMSG_GLOBAL_REQUEST,
)

# Paramiko's threads print tracebacks of their own through logging; we report each failure once.
logging.getLogger("paramiko").addHandler(logging.NullHandler())
logging.getLogger("paramiko").propagate = False

_OF_OPEN_CHANNELS = {
    MSG_CHANNEL_WINDOW_ADJUST,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_REQUEST,
}


def _on_request(channel: Any, message: paramiko.Message) -> None:
    """Take note of exit-signal, which Paramiko drops: a killed command is no lost connection."""
    start = message.packet.tell()
    if message.get_text() != "exit-signal":
        message.packet.seek(start)
        channel._handle_request(message)
        return
    message.get_boolean()
    name = f"SIG{message.get_text()}"
    channel.exit_status = 128 + (signal.Signals[name] if name in signal.Signals.__members__ else 0)
    channel.status_event.set()


# Paramiko compares message digests byte by byte in Python; a cipher that authenticates by itself
# spares that, a fifth of the work of a short connection.
_AUTHENTICATING = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
_KNOWN: Any = paramiko.Transport
LEGACY_CIPHERS = tuple(name for name in _KNOWN._preferred_ciphers if "cbc" in name)
LEGACY_MACS = tuple(
    name
    for name in _KNOWN._preferred_macs
    if name.endswith("-96") or "md5" in name or "sha1" in name
)
"""What is too weak to be offered unless the configuration asks for it."""


def limit_in_kernel(sock: Any, seconds: int) -> None:
    """Let the kernel end what takes a socket longer. Python would poll before each call, and give
    up the interpreter's lock for that, too: twenty times for each machine."""
    if isinstance(sock, socket.socket):  # and not the channel of a jump host
        limit = struct.pack("ll", seconds, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
        sock.settimeout(None)


class EagerAuth(AuthHandler):
    """Asks to be let in right behind asking for the service that lets in, a round trip earlier."""

    _eager = False

    def _request_auth(self) -> None:
        # How to sign with an RSA key the server says in a message that may still be under way.
        key: Any = self.private_key
        self._eager = "rsa" not in key.get_name()
        super()._request_auth()  # type: ignore[misc]
        if self._eager:
            accepted = paramiko.Message()
            accepted.add_string("ssh-userauth")
            accepted.rewind()
            super()._parse_service_accept(accepted)  # type: ignore[misc]

    def _parse_service_accept(self, message: paramiko.Message) -> None:
        if not self._eager:
            super()._parse_service_accept(message)  # type: ignore[misc]


class Transport(paramiko.Transport):
    """Wakes seldom, waits for few answers, and tells a killed command from a lost connection."""

    # How often its idle thread wakes; Paramiko's own 0.1 s costs a core at 500 machines.
    _active_check_timeout = 2
    _preferred_ciphers = _AUTHENTICATING + tuple(
        name for name in _KNOWN._preferred_ciphers if name not in _AUTHENTICATING + LEGACY_CIPHERS
    )
    _preferred_macs = tuple(name for name in _KNOWN._preferred_macs if name not in LEGACY_MACS)
    _channel_handler_table = {  # noqa: RUF012
        **paramiko.Transport._channel_handler_table,  # type: ignore[attr-defined]
        MSG_CHANNEL_REQUEST: _on_request,
    }
    _ahead: PendingChannel | None = None
    _refuses_more = False
    _broken = False
    peer_lists: Mapping[str, list[str]] = {}
    """The algorithms that the server says it has."""

    def __init__(self, sock: Any, **named: Any) -> None:
        super().__init__(sock, **named)
        limit_in_kernel(sock, self._active_check_timeout)

    def offer_legacy_algorithms(self) -> None:
        """Offer ciphers and MACs that are too weak to be offered unasked, behind all others."""
        options = self.get_security_options()
        options.ciphers = (*options.ciphers, *LEGACY_CIPHERS)
        options.digests = (*options.digests, *LEGACY_MACS)

    def _filter_algorithm(self, type_: str) -> tuple[str, ...]:
        """What is offered of a kind. Paramiko goes through the names each time that it asks."""
        if self.disabled_algorithms:
            return tuple(super()._filter_algorithm(type_))  # type: ignore[misc]
        return tuple(getattr(self, f"_preferred_{type_}"))

    def _log(self, level: int, msg: object, *args: object) -> None:
        """Nothing: each failure is reported once, by whoever asked."""

    def _really_parse_kex_init(self, m: Any, ignore_first_byte: bool = False) -> Any:
        parsed: dict[str, Any] = super()._really_parse_kex_init(m, ignore_first_byte)  # type: ignore[misc]
        self.peer_lists = {key: [*value] for key, value in parsed.items() if _is_list(value)}
        return parsed

    def _send_message(self, data: Any) -> None:
        """Drop what is about a channel that is closed by now. Paramiko decides on a message first
        and sends it later; its reading thread may answer a close in between, and a server ends the
        connection of whoever speaks of a channel that is gone."""
        raw = data.asbytes()[:5]
        if raw[0] in _OF_OPEN_CHANNELS and not self._is_open(int.from_bytes(raw[1:])):
            return
        super()._send_message(data)  # type: ignore[misc]

    def _send_user_message(self, data: Any) -> None:
        """Let nobody fail who closes something on a link that turns out to be broken, as Paramiko
        does once it knows of it."""
        try:
            super()._send_user_message(data)  # type: ignore[misc]
        except EOFError:
            self._broken = True
            _hang_up(self)
            if data.asbytes()[0] not in (MSG_CHANNEL_EOF, MSG_CHANNEL_CLOSE):
                raise

    def get_exception(self) -> Exception | None:
        """What ended it. Of a message that makes no sense Paramiko says whatever it stumbled over,
        which would look like a fault of ours."""
        error: Exception | None = super().get_exception()
        if error is None or isinstance(error, paramiko.SSHException | EOFError | OSError):
            return error
        said = paramiko.SSHException(f"it sent what cannot be read ({type(error).__name__})")
        said.__cause__ = error
        return said

    def is_active(self) -> bool:
        return super().is_active() and not self._broken

    def _is_open(self, number: int) -> bool:
        """Whether a channel that the server knows by this number takes messages."""
        known: Any = self._channels.values()  # type: ignore[attr-defined]
        return any(c.remote_chanid == number and c.active and not c.closed for c in known)

    def start_client(self, event: Any = None, timeout: float | None = None) -> None:
        """Wait once for the end of the handshake; Paramiko looks ten times a second."""
        done = event or threading.Event()
        super().start_client(done)
        if event is None:
            done.wait(timeout)
            if not self.is_active():
                raise self.get_exception() or paramiko.SSHException("Negotiation failed.")

    def auth_publickey(self, username: str, key: Any, event: Any = None) -> list[str]:
        if not self.is_active() or not self.initial_kex_done:
            raise paramiko.SSHException("No existing session")
        answered = Answer(self)
        self.auth_handler = handler = EagerAuth(self)
        handler.auth_publickey(username, key, answered)
        return list(handler.wait_for_response(answered))

    def session(self, limit: float) -> paramiko.Channel:
        """A session channel: the one that was asked for ahead, else a new one."""
        with self.lock:
            ahead, self._ahead = self._ahead, None
        channel = ahead.wait(limit) if ahead else None
        if channel and not channel.closed:
            return channel
        self._refuses_more = self._refuses_more or ahead is not None
        # One that allows few sessions may not have ended the last one when it reads this: twice.
        channel = PendingChannel(self).wait(limit) or PendingChannel(self).wait(limit)
        if channel is None:
            raise self.get_exception() or paramiko.SSHException("it opens no session")
        return channel

    def to_socket(self, path: str, limit: float) -> paramiko.Channel:
        """A channel to a Unix socket of the machine's, which Paramiko does not know."""
        channel = PendingChannel(self, "direct-streamlocal@openssh.com", path, "", 0).wait(limit)
        if channel is None:
            raise self.get_exception() or paramiko.ChannelException(2, f"no socket at {path}")
        return channel

    def ping(self) -> None:
        """Ask whether anyone is there: Paramiko's own keepalive asks for no answer."""
        message = paramiko.Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        self._send_user_message(message)

    def ask_ahead(self) -> PendingChannel | None:
        """Ask for the next command's channel while this one's runs: it then need not be waited for.
        None where there is one, or the server has refused such a one (see sshd's MaxSessions)."""
        if self._refuses_more or self._ahead:
            return None
        self._ahead = PendingChannel(self)
        return self._ahead


class PendingChannel:
    """A channel that was asked for. The answer may still be under way."""

    def __init__(self, transport: Any, kind: str = "session", *about: str | int) -> None:
        self._transport = transport
        self._channel: Any
        with transport.lock:
            number = transport._next_channel()
            self._channel = paramiko.Channel(number)
            transport._channels.put(number, self._channel)
            self._answered = transport.channel_events[number] = threading.Event()
            transport.channels_seen[number] = True
            self._channel._set_transport(transport)
            window, packet = transport.default_window_size, transport.default_max_packet_size
            self._channel._set_window(window, packet)
        message = paramiko.Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string(kind)
        for value in (number, window, packet, *about):
            message.add_string(value) if isinstance(value, str) else message.add_int(value)
        transport._send_user_message(message)

    @property
    def answered(self) -> bool:
        # A transport that dies rings for all it knows, and may have done so before it knew us.
        return self._answered.is_set() or not self._transport.active

    def wait(self, limit: float) -> paramiko.Channel | None:
        """The channel; None where it is refused, or the connection gone."""
        if not self.answered and not self._answered.wait(limit):
            raise paramiko.SSHException("Timeout opening channel.")
        return self._channel if self._channel.active else None


class Answer(threading.Event):
    """Is waited for as long as it may take, by one who would look ten times a second: where 32
    machines are asked at a time, each takes longer than that."""

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport

    def wait(self, timeout: float | None = None) -> bool:
        # A transport that dies sets it, and may have done so before it knew of it.
        if not self._transport.is_active():
            return self.is_set()
        return super().wait(self._transport.auth_timeout)


class Wakeup:
    """An event that two buffers ring and only the reader quiets."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.set, self.wait, self.quiet = self._event.set, self._event.wait, self._event.clear

    @classmethod
    def of(cls, channel: paramiko.Channel) -> Wakeup:
        """The event that both streams of a channel ring."""
        bell = cls()
        channel.in_buffer.set_event(bell)  # type: ignore[arg-type]
        channel.in_stderr_buffer.set_event(bell)  # type: ignore[arg-type]
        return bell

    def clear(self) -> None:
        """A buffer that ran empty says nothing of the other one."""


def _is_list(value: object) -> bool:
    return isinstance(value, list)


def close(transport: paramiko.Transport) -> None:
    _hang_up(transport)
    transport.close()


def _hang_up(transport: paramiko.Transport) -> None:
    # The reading thread sits in recv for up to two seconds; shutdown wakes it.
    with contextlib.suppress(OSError, EOFError):
        transport.sock.shutdown(socket.SHUT_RDWR)
