"""Whether a machine that runs a command for us is still there."""

from __future__ import annotations

import time
from typing import Any, Protocol

from dlws.core.limits import Unanswered
from dlws.ssh.handshake import AWAY, ConnectionFailed, Target
from dlws.ssh.transport import Wakeup

_SILENCES = 4
"""Unanswered keepalives until a machine counts as gone."""

_SHELL_SECONDS = 30.0
"""So long a login shell may take to come to a command."""


class Sign(Protocol):
    """Something that was asked of a machine with a command."""

    @property
    def answered(self) -> bool: ...


class Liveness:
    """Raises ConnectionFailed (`lost`) where a machine has gone, or a command is silent too long.

    `sign` was asked for with the command: its answer tells that anyone is there, long before a
    keepalive does. Of a `timely` command the end comes within answer_timeout.
    `begun` is set once the command has begun, `ended` once its status is known.
    """

    def __init__(
        self, target: Target, transport: Any, sign: Sign | None, timely: bool = False
    ) -> None:
        self._target, self._transport, self._sign = target, transport, sign
        self._answer_timeout = target.answer_timeout if timely else 0
        self._started = self._active = self._pinged = time.monotonic()
        self._since = 0.0
        self.begun = self.ended = False

    def wait(self, bell: Wakeup) -> None:
        """Wait until something arrives, or it is time to look()."""
        limit = self._target.connect_timeout if self._unanswered else 0
        shell = 0 if self.begun else _SHELL_SECONDS
        target = self._target
        held = target.held_timeout if self.ended else 0
        waits = (target.keepalive, target.idle_timeout, limit, self._answer_timeout, shell, held)
        bell.wait(min(filter(None, waits), default=None))
        bell.quiet()

    def look(self, now: float, some: bool) -> None:
        """Judge what is known, and ask where nothing is; `some` output has arrived by `now`."""
        target = self._target
        if self._answer_timeout and now - self._started >= self._answer_timeout:
            raise Unanswered.late(self._answer_timeout)
        if some:
            self._active = now
        if self.held(now):
            return
        if self._unanswered and now - self._started >= target.connect_timeout:
            raise ConnectionFailed(f"{target.address} no longer answers", AWAY, lost=True)
        if not self.begun and now - self._started >= _SHELL_SECONDS:
            raise ConnectionFailed(
                f"{target.user}'s login shell has not come to the command in {_SHELL_SECONDS:g} s",
                "look for what waits in ~/.bashrc and /etc/profile.d, and whether its home hangs",
                lost=True,
            )
        if target.idle_timeout and now - self._active >= target.idle_timeout:
            raise ConnectionFailed(
                f"no output for {target.idle_timeout:g} s",
                "ssh.idle_timeout says how long a command may be silent",
                lost=True,
            )
        heard = self._transport.packetizer.heard
        if target.keepalive and now - max(self._pinged, heard) >= target.keepalive:
            self._ping(now - heard)
            self._pinged = now

    def held(self, now: float) -> bool:
        """Whether the output of a command that has ended was waited for long enough: something
        that it left behind holds it."""
        if not self.ended:
            return False
        self._since = self._since or now
        limit = self._target.held_timeout
        return now - max(self._since, self._active) >= limit or now - self._since >= 10 * limit

    @property
    def _unanswered(self) -> bool:
        return self._sign is not None and not self._sign.answered

    def _ping(self, silence: float) -> None:
        limit = _SILENCES * self._target.keepalive
        if silence > limit:
            raise ConnectionFailed(
                f"has not answered for {limit:g} s",
                "is it overloaded, or cut off? what ran there may still run",
                lost=True,
            )
        self._transport.ping()
