"""Programs of arm64 on this machine: whether its kernel runs them, and one that is small."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dlws.images.engine import BINFMT
from dlws.shell.quoting import script

_RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")
_ENTRY = f"{BINFMT}/qemu-aarch64"
_REGISTER = f"""mount -t binfmt_misc binfmt_misc {BINFMT} || exit
[ ! -e {_ENTRY} ] || exit 0
tr -d '\\n' <"$1" >{BINFMT}/register && echo ours"""


def possible() -> bool:
    """Whether the kernel can be told of formats, and qemu-user-static is there."""
    return "\tbinfmt_misc\n" in Path("/proc/filesystems").read_text() and _RULE.exists()


@contextmanager
def running(entry: Sequence[str]) -> Iterator[bool]:
    """Whether this machine runs programs of arm64, while the block does.

    `entry` leads to a mount namespace, which sees that. The kernel forgets it again if it did not
    know it before.
    """
    if not possible():
        yield False
        return
    line = [*entry, "sh", "-c", script(_REGISTER, _RULE)]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    try:
        yield True
    finally:
        if done.stdout.strip() == "ours":
            forget = [*entry, "sh", "-c", f"echo -1 >{_ENTRY}"]
            subprocess.run(forget, check=True)


def program(text: str) -> bytes:
    """A static program for arm64 that prints a text of less than 4 KiB and ends well."""
    code = struct.pack(
        "<8I",
        0xD2800020,  # mov x0, #1: standard output
        0x100000E1,  # adr x1, the text behind these instructions
        0xD2800002 | len(text.encode()) << 5,  # mov x2, its length
        0xD2800808,  # mov x8, #64: write
        0xD4000001,  # svc #0
        0xD2800000,  # mov x0, #0
        0xD2800BA8,  # mov x8, #93: exit
        0xD4000001,  # svc #0
    )
    content = code + text.encode()
    size, base = 64 + 56 + len(content), 0x400000
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head = struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, base + 120, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000)
    return ident + head + segment + content
