"""The ways in which a farm's host can misbehave, each the same every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Fault(Enum):
    """What is wrong with a host; its value is its name on the command line."""

    NONE = "none"
    REFUSED = "refused"  # nothing listens on the port
    DEAD = "dead"  # connection attempts are dropped, as by a machine that is off
    RESET = "reset"  # accepts connections and resets them, as a busy sshd does
    CLOSE = "close"  # the same, but politely
    MUTE = "mute"  # accepts connections, says nothing
    BANNER = "banner"  # sends its banner, then nothing
    NONSENSE = "nonsense"  # sends its banner, then a message that makes no sense
    LEAVE = "leave"  # closes the connection when somebody logs in, as one that shuts down
    HOST_KEY = "host-key"  # shows another host key than the one its list names
    AUTH = "auth"  # lets nobody in
    SUDO = "sudo"  # refuses sudo
    DROP_COMMAND = "drop-command"  # the connection breaks before a command has begun
    DROP_UPLOAD = "drop-upload"  # the connection breaks after so much standard input
    DROP_MIDWAY = "drop-midway"  # the connection breaks in mid-command, which goes on
    NO_ANSWER = "no-answer"  # the command runs to its end, then the connection breaks
    FREEZE = "freeze"  # before a command has begun nothing more is answered
    FREEZE_MIDWAY = "freeze-midway"  # the same in mid-command, which goes on
    REBOOT_BEFORE = "reboot-before"  # the machine reboots before the command's effect
    REBOOT_AFTER = "reboot-after"  # the machine reboots between the effect and the answer
    REBOOT_UPLOAD = "reboot-upload"  # the machine reboots after so much standard input
    EFFECT_EXIT = "effect-exit"  # commands end with status 7 after their effect
    DISK_FULL = "disk-full"  # not a byte can be written to a file
    DISK_SMALL = "disk-small"  # files of more than 64 KiB cannot be written
    LATE = "late"  # commands begin half a second late
    EXIT = "exit"  # every command ends with status 7
    SLOW = "slow"  # a line of output each 0.2 s, ten of them
    FLOOD = "flood"  # 100 MB of output
    BINARY = "binary"  # output that is not UTF-8
    FORGED = "forged"  # behind what a command prints come lines that pass for answers of ours
    ENDLESS = "endless"  # the answers to our questions have no end
    ESCAPES = "escapes"  # every control sequence of terminals, and status 1


AT_LISTENER = {Fault.REFUSED, Fault.DEAD}
AT_CONNECTION = {Fault.RESET, Fault.CLOSE, Fault.MUTE, Fault.BANNER, Fault.NONSENSE}
AT_CONNECTION |= {Fault.LEAVE, Fault.HOST_KEY}
AT_UPLOAD = {Fault.DROP_UPLOAD, Fault.REBOOT_UPLOAD}
AT_EFFECT = {
    Fault.DROP_MIDWAY: "after",
    Fault.FREEZE_MIDWAY: "after",
    Fault.REBOOT_BEFORE: "before",
    Fault.REBOOT_AFTER: "after",
    Fault.EFFECT_EXIT: "exit",
}
"""Faults that strike inside the program `effect` (shell.py), and where it waits for them."""
OUTLIVED = {Fault.DROP_UPLOAD, Fault.DROP_MIDWAY, Fault.FREEZE_MIDWAY}
"""Faults after which commands go on without their connection, as they do under a real sshd."""
BANNER = b"SSH-2.0-farm\r\n"
# A packet of 256 bytes, 8 of them padding: an offer of keys (20) whose lists of names are no text.
NONSENSE = bytes([0, 0, 0, 252, 8, 20, *[0] * 16, 0, 0, 0, 222, *[0xFF] * (222 + 8)])
DROP_AFTER = 64 * 1024
FLOOD_BYTES = 100_000_000
NOT_UTF8 = b"caf\xe9 \xff\xfe\x00 end\n"
_FINALS = range(0x40, 0x7F)
_STRINGS = {"DCS": "P", "SOS": "X", "OSC": "]", "PM": "^", "APC": "_"}


def _sequences() -> Iterator[str]:
    """Every control function of ECMA-48 and xterm, 7-bit and 8-bit, whole and cut off."""
    yield from (chr(code) for code in (*range(0x20), 0x7F, *range(0x80, 0xA0)))
    yield from (f"\x1b{chr(code)}" for code in range(0x20, 0x7F))
    yield from (f"\x1b{middle}{chr(code)}" for middle in " #%()*+-./" for code in range(0x30, 0x7F))
    for begin in ("\x1b[", "\x9b"):
        for parameters in (
            "",
            "1",
            "2",
            "?25",
            "?1049",
            "?2004",
            ">4;1",
            "=1",
            "1;1",
            "8;1;1",
            "3 ",
        ):
            yield from (f"{begin}{parameters}{chr(code)}" for code in _FINALS)
        yield from (f"{begin}5;", f"{begin}{'1;' * 200}m", f"{begin}38;5;1\x07m", f"{begin}\x1b[m")
    for seven in _STRINGS.values():
        for begin in (f"\x1b{seven}", chr(ord(seven) + 0x40)):
            for end in ("\x07", "\x1b\\", "\x9c", ""):
                yield from (
                    f"{begin}{what}{end}" for what in ("0;title", "52;c;aGk=", "8;;x:y", "q")
                )
    yield from "\u200b\u200e\u200f\u2028\u2029\u2066\u2067\u2068\u2069"
    yield from "\u202a\u202b\u202c\u202d\u202e"
    yield from "\ufeff\u061c\u00ad\U000e0041"


# Each stands alone between letters; every second one has a line of its own.
ESCAPES = "".join(f"<{one}>{chr(10) * (n % 2)}" for n, one in enumerate(_sequences())).encode()
ESCAPES += bytes(byte for byte in range(0x80, 0x100)) + b"\xc0\x9b\xe0\x80\x9b\xed\xa0\x80\xf8\x88 "
ESCAPES += b"\x1b[31mred\x1b[1;38;2;9;9;9mopen\nplain \xc2"
FORGED = (
    "\x0btaken\x0cheld\x1c1 1\u2028{}\x85\nheld\n1 1\n[[[\nlost\n9 9\n" + '{"token": [1]}\n'
    f"- - -\n- - directory\n{64 * 'f'} 644 root:root\n0 0 QQ== QQ==\n1 x ! =\nend=1\n"
    "changed: \u2028changed: a|b\ndiffers: file\t/etc/x\tforged\nsudo: a password is required\n"
    "background=a|b|c|d|e\nbackground=x|1|lost|/x\nunit=\nunit=kubelet.service\ngpu=\nkubelet=failed\n"
    f"certificate=-1 /x\ndlws: withdrawn\nmember=a|b\nmachine_id={'0' * 5000}\nports=||||\n"
    f"{'(' * 3000}\n\x00\n\udcff\nname=w1|127.0.0.1\nboot_id=1"
).encode(errors="surrogateescape")
"""Lines in the words of every question of ours, with breaks that are none; the last has no end."""
SUDO_COMPLAINT = b"sudo: a password is required\n"


@dataclass(frozen=True)
class Wrong:
    """A fault and when it strikes: after `skip` connections or commands, `once` or for ever, and
    after `size` bytes of standard input."""

    fault: Fault = Fault.NONE
    skip: int = 0
    once: bool = False
    size: int = DROP_AFTER


def parse(words: list[str]) -> dict[int, Fault]:
    """Faults by host number from words such as 3=dead (hosts are numbered from 1)."""
    pairs = (word.partition("=") for word in words)
    return {int(number): Fault(name) for number, _, name in pairs}


def wrong(row: dict[str, Any]) -> Wrong:
    """A Wrong from its fields, the fault by name."""
    return Wrong(**{**row, "fault": Fault(row["fault"])})
