"""Shell command lines from words. Values are data: every word is quoted here and nowhere else."""

from __future__ import annotations

import shlex


def sh(*words: object) -> str:
    """One command line from words, each quoted: sh("ls", "a b") == "ls 'a b'"."""
    return shlex.join(str(word) for word in words)


def chain(*commands: str) -> str:
    """Commands that run one after the other until one fails."""
    return " && ".join(commands)


def script(text: str, *args: object) -> str:
    """A POSIX shell script as one command line, with its arguments as $1, $2, ..."""
    return sh("sh", "-c", text, "dlws", *args)


STARTED = """started() { # PID: when it began, in $began
  began=; read -r began 2>/dev/null <"/proc/$1/stat" || return 1
  set -- ${began##*) }; began=${20}
}"""
"""A shell function that tells a process from a later one of the same id."""
