"""The line that a login shell gets: any shell passes it on, and a mark says that it has begun."""

from __future__ import annotations

import os
import re

MARK = b"\x1e"
_SAYS_SO = r'printf "\036"; printf "\036" >&2'
# What sh() and script() build for a shell, which takes the login shell's place.
_OURS = re.compile(r"""(/bin/)?sh( ([\w@%+=:,./-]+|'[^']*'("'"'[^']*')*))+""", re.ASCII)
# csh ends a line within quotes, looks for ! there, and takes no word of a thousand characters; fish
# sees \\ and \' there. So our lines go as short words of nothing but plain characters and \0OCTAL.
_ODD = re.compile(rb"[^ -~]")
_WORD = re.compile(r".{1,880}(?<!\\)(?<!\\0)(?<!\\0.)(?<!\\0..)")
# A shell that reads backslashes within quotes (xonsh) would change ours: the first word shows it.
_WHOLE = r"'\0074'"
SPOILT = "this shell reads backslashes within quotes, as no shell of POSIX does"
BEFORE_OURS = (
    f"""sh -c '[ ${{#1}} = 5 ] || {{ echo {SPOILT} >&2; exit 126; }}; shift; {_SAYS_SO}; """
    f"""eval "exec $(printf %b "$@")"' dlws {_WHOLE}"""
)
BEFORE = f"true; sh -c '{_SAYS_SO}'; "
"""What stands before a person's own command, which is the login shell's to understand. Where a
ForceCommand runs the first command of the line alone (sh -c "exec $SSH_ORIGINAL_COMMAND"), that is
not the one that says so."""


def with_mark(command: str) -> str:
    """A command after the mark on both streams. csh would write `>&2` to a file, so sh does it."""
    if not _OURS.fullmatch(command):
        return f"{BEFORE}{command}"
    plain = command
    for odd in "\\\n'!":
        plain = plain.replace(odd, f"\\0{ord(odd):03o}")
    if not (plain.isascii() and plain.isprintable()):
        plain = _ODD.sub(lambda odd: b"\\0%03o" % ord(odd[0]), os.fsencode(plain)).decode()
    return " ".join([BEFORE_OURS, *(f"'{word}'" for word in _WORD.findall(plain))])
