"""A login shell that does not run what it is given: how that is seen, and what it is called."""

from __future__ import annotations

import re

from dlws.core.connection import Result
from dlws.core.text import split_lines
from dlws.shell.marked import SPOILT
from dlws.shell.quoting import sh
from dlws.ssh.handshake import ConnectionFailed, Target

MISWRITTEN = re.compile(
    "syntax error|unexpected|unmatched|unterminated|: event not found", re.IGNORECASE
)
"""What shells say of a command line that is none: they read all of it before any of it runs."""

STATUS = 77
PROBE = sh("sh", "-c", f"exit {STATUS}")
"""The command that shows whether a login shell runs commands, and passes on how they ended."""


class CommandNotRun(ConnectionFailed):
    """A login shell, or a command that sshd forces, ended with a status of its own."""

    def __init__(self, target: Target, result: Result) -> None:
        words = result.last_words[:200]
        aged = re.search("password (change required|has expired)", result.complaint, re.IGNORECASE)
        cure = (
            "look for exit or exec in ~/.bashrc and /etc/profile.d, at the shell in /etc/passwd, "
            f"and for ForceCommand in /etc/ssh/sshd_config; to try: ssh {target.user}@"
            f"{target.address} -p {target.port} echo it runs commands"
        )
        if SPOILT in split_lines(result.complaint):  # it may quote our line behind that
            words, cure = SPOILT, f"on the machine, as root: usermod -s /bin/bash {target.user}"
        elif aged:
            cure = f"on the machine, as root: chage -M -1 -d -1 {target.user}"
        super().__init__(
            f"{target.user}'s login shell ended with {result.code} before the command began"
            + (f": {words}" if words else ", without a word"),
            cure,
        )


class OutputLost(ConnectionFailed):
    """A login shell sends what commands print elsewhere: an answer without words is none."""

    def __init__(self, target: Target, streams: str) -> None:
        super().__init__(
            f"{target.user}'s login shell redirects {streams} of commands: the command was run, "
            "and what it printed did not arrive as it was printed",
            "look for exec with > in ~/.bashrc and /etc/profile.d, and for ForceCommand in "
            f"/etc/ssh/sshd_config; to try: ssh {target.user}@{target.address} -p {target.port} "
            "'echo out; echo err >&2' 2>/dev/null",
        )


class StatusLost(ConnectionFailed):
    """A login shell ends with a status of its own, whatever the command ended with."""

    def __init__(self, target: Target, code: int) -> None:
        super().__init__(
            f"{target.user}'s login shell turns exit status {STATUS} of a command into {code}: "
            "whether one has failed cannot be known",
            "look for a trap or PROMPT_COMMAND in ~/.bashrc, at the shell in /etc/passwd, and for "
            f"ForceCommand in /etc/ssh/sshd_config; to try: ssh {target.user}@{target.address} -p "
            f"{target.port} 'sh -c \"exit {STATUS}\"'; echo $?",
        )
