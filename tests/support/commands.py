"""Commands that dlws builds, read back: the script that one runs, and the words that follow it."""

from __future__ import annotations

import os
import re
import shlex
from functools import lru_cache

from dlws.core import resources
from dlws.core.connection import Result
from dlws.shell import files, marked, recorder, sudo


def template(name: str) -> str:
    """The text of a script in templates/."""
    return (resources.templates() / name).read_text()


def _words(command: str) -> list[str]:
    """None of a line that is not even quoted as it should be: a person typed it."""
    try:
        return shlex.split(command)
    except ValueError:
        return []


def plain(command: str) -> str:
    """A command without what makes it root and what records it."""
    words = _words(command)
    for word in words:
        if word.startswith(f"{sudo._PATH}; "):
            return plain(word.removeprefix(f"{sudo._PATH}; "))
    if words[:3] == ["sh", "-c", recorder._RECORD]:
        return words[-2]  # ... sh -c COMMAND dlws
    return command


@lru_cache(1024)
def read(command: str) -> tuple[str, tuple[str, ...]]:
    """The script that a command runs, and its arguments; a line that runs none is a script."""
    line = plain(command)
    words = _words(line)
    return (words[2], tuple(words[4:])) if words[:2] == ["sh", "-c"] else (line, ())


def runs(command: str, what: str) -> bool:
    """Whether a command runs a script, or has these words in it."""
    return what in command or read(command)[0] == what


STATES = files._STATE
"""The script that prints states of files."""


def paths(arguments: tuple[str, ...], stdin: bytes) -> list[str]:
    """The files that the script STATES is asked for."""
    return list(arguments) or stdin.decode().splitlines()


def none_there(command: str, stdin: bytes) -> Result:
    """To STATES: none of the files is there."""
    return Result(0, b"- - -\n" * len(paths(read(command)[1], stdin)))


def unmarked(line: str) -> str | None:
    """The command in what with_mark() built; None of another line."""
    if line.startswith(marked.BEFORE):
        return line.removeprefix(marked.BEFORE)
    if not line.startswith(marked.BEFORE_OURS):
        return None
    words = re.findall("'([^']*)'", line.removeprefix(marked.BEFORE_OURS))
    sent = "".join(words).encode()
    return os.fsdecode(re.sub(rb"\\0(...)", lambda odd: bytes([int(odd[1], 8)]), sent))
