"""Command lines as root, with a password that is never on them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlws.core.connection import Stdin, pieces
from dlws.shell.quoting import sh

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH"
_REFUSALS = re.compile(
    r"sudo: .*(a password is required|incorrect password|must have a tty)"
    r"|is not in the sudoers file|^Sorry, user .* (is not allowed to|may not run)",
    re.MULTILINE,
)
_MARK = "dlws: standard input follows"
# sudo asks three times, so with a wrong password it would take the lines that follow for others:
# the password is tried alone first. -k: without it sudo may take a cached answer and leave the
# password unread. LANGUAGE: refused() knows the English words. Neither sh nor sudo is looked for
# where the user's own files say: what they find there would be told the password.
_BEFORE = f"LANGUAGE=C; export LANGUAGE; {_PATH}; "
_ASK = f"""{_BEFORE}IFS= read -r password
printf '%s\\n' "$password" | sudo -k -S -p '' -- sh -c : || exit 1
exec sudo -k -S -p '' -- sh -c "$3" dlws "$1" "$2\""""
_ASK_NOT = f'{_BEFORE}exec sudo -n -- sh -c "$1"'
# Whether sudo reads the password depends on its rules, so the shell behind it finds the mark
# instead of counting: else the password could become the command's input.
_SKIP = 'IFS= read -r line; [ "$line" = "$1" ] || IFS= read -r line; exec sh -c "$2" dlws'


def as_root(command: str, user: str, password: str | None) -> str:
    """`command` for /bin/sh as root: as it is for root, else by sudo (password on stdin)."""
    inner = f"{_PATH}; {command}"
    if user == "root":
        return sh("sh", "-c", inner)
    if password is None:
        return sh("/bin/sh", "-c", _ASK_NOT, "dlws", inner)
    return sh("/bin/sh", "-c", _ASK, "dlws", _MARK, inner, _SKIP)


def root_stdin(stdin: Stdin, user: str, password: str | None) -> Stdin:
    """Standard input for what as_root() built."""
    if user == "root" or password is None:
        return stdin

    def lines() -> Iterator[bytes]:
        yield f"{password}\n{password}\n{_MARK}\n".encode()
        yield from pieces(stdin)

    return b"".join(lines()) if isinstance(stdin, bytes) else lines()


def refused(code: int, complaint: str) -> bool:
    """Whether a failed command was not run at all since sudo said no."""
    return code == 1 and bool(_REFUSALS.search(complaint))
