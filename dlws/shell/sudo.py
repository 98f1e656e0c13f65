"""Command lines as root, with a password that is never on them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dlws.core.connection import Stdin, pieces
from dlws.shell.quoting import sh

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH"
_WRONG = r"incorrect password|sudo-rs: Maximum"
_TTY = r"sudo: .*must have a tty"
_AGED = (
    r"sudo: .*([Aa]ccount (validation failure|(or password )?((is|has) )?expired)|"
    r"PAM account management error|[Pp]assword (has )?expired)"
)
_BROKEN = (
    r"sudo: .*(no valid sudoers sources|parse error|syntax error|must be owned by uid 0|"
    r"effective uid is not 0|is world writable|should be 0[0-9]+$|no new privileges)"
    r"|^/etc/sudoers\S*:\d+:\d+: expecting "  # of sudo-rs
)
_REFUSALS = re.compile(
    rf"sudo: .*a password is required|{_WRONG}|{_TTY}|{_AGED}|{_BROKEN}"
    r"|is not in the sudoers file|^Sorry, user .* (is not allowed to|may not run)"
    r"|sudo-rs: (interactive authentication is required|I'm sorry .*I'm afraid I can't)",
    re.MULTILINE,
)
_CURES = (
    (_TTY, "echo 'Defaults:{user} !requiretty' >/etc/sudoers.d/zz-dlws-tty"),
    (_AGED, "chage -M -1 -I -1 -E -1 -d -1 {user}"),
    (_BROKEN, "visudo -c; chown root: /usr/bin/sudo; chmod 4755 /usr/bin/sudo"),
)
# Neither sh nor sudo is looked for where the user's own files say: what they find there would be
# told the password. LANGUAGE: refused() knows the English words.
_BEFORE = f"LANGUAGE=C; export LANGUAGE; {_PATH}; "
_ASK_NOT = f'{_BEFORE}exec sudo -n -- sh -c "$1"'
# How much sudo reads in search of a password depends on its kind and its rules: sudo-rs takes all
# there is. So it gets a pipe with nothing else in it, and the shell behind it opens the pipe with
# the rest. That cannot be sshd's socket itself, which nobody can open anew. -k: without it sudo may
# take a cached answer, and so hide that the password is wrong.
_ASK = f'{_BEFORE}cat | sh -c "$2" dlws "$1"'
_BEHIND_CAT = """IFS= read -r password
printf '%s\\n' "$password" |
  sudo -k -S -p '' -- sh -c 'exec <"/proc/$1/fd/0" && exec sh -c "$2" dlws' dlws "$$" "$1\""""


def as_root(command: str, user: str, password: str | None) -> str:
    """`command` for /bin/sh as root: as it is for root, else by sudo (password on stdin)."""
    inner = f"{_PATH}; {command}"
    if user == "root":
        return sh("sh", "-c", inner)
    if password is None:
        return sh("/bin/sh", "-c", _ASK_NOT, "dlws", inner)
    return sh("/bin/sh", "-c", _ASK, "dlws", inner, _BEHIND_CAT)


def root_stdin(stdin: Stdin, user: str, password: str | None) -> Stdin:
    """Standard input for what as_root() built."""
    if user == "root" or password is None:
        return stdin

    def lines() -> Iterator[bytes]:
        yield f"{password}\n".encode()
        yield from pieces(stdin)

    return b"".join(lines()) if isinstance(stdin, bytes) else lines()


def refused(code: int, complaint: str) -> bool:
    """Whether a failed command was not run at all since sudo said no."""
    return code == 1 and bool(_REFUSALS.search(complaint))


def cure(complaint: str, user: str) -> str:
    """The command of root's that helps where neither a password nor our rule does; else nothing."""
    fits = (text for words, text in _CURES if re.search(words, complaint, re.MULTILINE))
    return next(fits, "").format(user=user)
