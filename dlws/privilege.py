"""Command lines as root, with a password that is never on them."""

from __future__ import annotations

from collections.abc import Iterator

from dlws.connection import Stdin, pieces
from dlws.shell import script, sh

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH"
_MARK = "dlws: standard input follows"
# Whether sudo reads the password depends on its rules, so the shell behind it finds the mark
# instead of counting: else the password could become the command's input.
_SKIP = 'IFS= read -r line; [ "$line" = "$1" ] || IFS= read -r line; exec sh -c "$2" dlws'


def as_root(command: str, user: str, password: str | None) -> str:
    """`command` for /bin/sh as root: as it is for root, else by sudo (password on stdin)."""
    inner = f"{_PATH}; {command}"
    if user == "root":
        return sh("sh", "-c", inner)
    if password is None:
        return sh("sudo", "-n", "--", "sh", "-c", inner)
    # -k: without it sudo may take a cached answer and leave the password unread.
    return sh("sudo", "-k", "-S", "-p", "", "--") + " " + script(_SKIP, _MARK, inner)


def root_stdin(stdin: Stdin, user: str, password: str | None) -> Stdin:
    """Standard input for what as_root() built."""
    if user == "root" or password is None:
        return stdin

    def lines() -> Iterator[bytes]:
        yield f"{password}\n{_MARK}\n".encode()
        yield from pieces(stdin)

    return b"".join(lines()) if isinstance(stdin, bytes) else lines()


def refused(code: int, complaint: str) -> bool:
    """Whether a failed command was not run at all since sudo said no."""
    says = ("a password is required", "incorrect password", "not in the sudoers", "not allowed to")
    return code == 1 and "sudo" in complaint and any(words in complaint for words in says)
