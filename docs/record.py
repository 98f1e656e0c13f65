"""Draw a picture of a run: record.py FILE.svg COMMAND... runs the command on its own terminal.

The picture holds the command line and what the command printed, colours included. The exit status
is that of the command. DLWS_RECORD_TAIL=N keeps the last N lines.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

COLUMNS = 110
_REDRAWN = re.compile(r"[^\n]*\r\x1b\[K")
"""A status line that was wiped."""


def recorded(command: list[str]) -> tuple[int, str]:
    """The exit status of a command that runs on a pseudo-terminal, and all that it printed."""
    printed = bytearray()

    def read(handle: int) -> bytes:
        data = os.read(handle, 65536)
        printed.extend(data)
        return data

    os.environ.update(COLUMNS=str(COLUMNS), TERM="xterm-256color")
    status = pty.spawn(command, read)
    return os.waitstatus_to_exitcode(status), printed.decode(errors="replace")


def picture(command: list[str], printed: str, tail: int) -> str:
    """The SVG of a terminal with a command line and what it printed."""
    clean = _REDRAWN.sub("", printed.replace("\r\n", "\n"))
    lines = clean.rstrip("\n").split("\n")
    with open(os.devnull, "w") as nowhere:
        console = Console(record=True, width=COLUMNS, file=nowhere, force_terminal=True)
        console.print(Text(f"$ {shlex.join(command)}", style="bold"))
        for line in (["..."] if len(lines) > tail else []) + lines[-tail:]:
            console.print(Text.from_ansi(line), no_wrap=True, overflow="ellipsis")
    # A picture in a repository fetches no fonts from elsewhere.
    return re.sub(r"@font-face \{.*?\}", "", console.export_svg(title="dlws"), flags=re.DOTALL)


def main() -> int:
    path, command = Path(sys.argv[1]), sys.argv[2:]
    code, printed = recorded(command)
    path.write_text(picture(command, printed, int(os.environ.get("DLWS_RECORD_TAIL", "60"))))
    return code


if __name__ == "__main__":
    sys.exit(main())
