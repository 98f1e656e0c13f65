"""The ways in which a farm's host can misbehave, each the same every time."""

from __future__ import annotations

from enum import Enum


class Fault(Enum):
    """What is wrong with a host; its value is its name on the command line."""

    NONE = "none"
    REFUSED = "refused"  # nothing listens on the port
    DEAD = "dead"  # connection attempts are dropped, as by a machine that is off
    MUTE = "mute"  # accepts connections, says nothing
    BANNER = "banner"  # sends its banner, then nothing
    HOST_KEY = "host-key"  # shows another host key than the one its list names
    AUTH = "auth"  # lets nobody in
    SUDO = "sudo"  # refuses sudo
    DROP_COMMAND = "drop-command"  # the connection breaks after the command has started
    DROP_UPLOAD = "drop-upload"  # the connection breaks after 64 KiB of standard input
    NO_ANSWER = "no-answer"  # the command runs to its end, then the connection breaks
    EXIT = "exit"  # every command ends with status 7
    SLOW = "slow"  # a line of output each 0.2 s, ten of them
    FLOOD = "flood"  # 100 MB of output
    BINARY = "binary"  # output that is not UTF-8


WITHOUT_SSH = {Fault.REFUSED, Fault.DEAD, Fault.MUTE, Fault.BANNER}
"""Faults of hosts that never get as far as the SSH protocol."""
DROP_AFTER = 64 * 1024
FLOOD_BYTES = 100_000_000
NOT_UTF8 = b"caf\xe9 \xff\xfe\x00 end\n"
SUDO_COMPLAINT = b"sudo: a password is required\n"


def parse(words: list[str]) -> dict[int, Fault]:
    """Faults by host number from words such as 3=dead (hosts are numbered from 1)."""
    pairs = (word.partition("=") for word in words)
    return {int(number): Fault(name) for number, _, name in pairs}
