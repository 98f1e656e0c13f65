"""Root by sudo: what is run, what is read, and what a refusal looks like."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dlws.shell.sudo import as_root, cure, refused, root_stdin

USUAL = "PATH=/usr/local/sbin:"
AWKWARD = ["a'b\"c $x \\ ü", "$(touch /tmp/no)", "`x`; true", "-n", " spaces ", "%s\\n"]

SUDO = """#!/bin/sh
# Stands in for sudo: reads a password when RULE says so, three tries, and records every line read.
while [ "$1" != -- ]; do [ "$1" != -S ] || asks=yes; shift; done; shift
if [ "$RULE" = password ]; then
  if [ -z "$asks" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
  tries=0
  while :; do
    if [ "$GREEDY" ]; then IFS= read -r line; cat >/dev/null; [ "$line" ] || exit 1
    elif ! IFS= read -r line; then echo 'sudo: no password was provided' >&2; break; fi
    printf '%s\\n' "$line" >>"$SEEN"
    [ "$line" != "$PASSWORD" ] || exec "$@"
    tries=$((tries + 1)); [ $tries -lt 3 ] || break
    echo 'Sorry, try again.' >&2
  done
  echo "sudo: $tries incorrect password attempt" >&2; exit 1
fi
exec "$@"
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "sudo").write_text(SUDO)
    (tmp_path / "sudo").chmod(0o755)
    return tmp_path


def run(
    place: Path, command: str, given: str | None, password: str, rule: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    """As a user's login shell would run it on a node whose sudo knows `password`."""
    env = {**os.environ, "RULE": rule}
    env |= {"PASSWORD": password, "SEEN": str(place / "seen"), "LC_ALL": "C.UTF-8"}
    # No other place than the usual ones is looked in: the stand-in is put in front of them.
    line = as_root(command, "admin", given).replace(USUAL, f"PATH={place}:/usr/local/sbin:")
    data = root_stdin(stdin, "admin", given)
    assert isinstance(data, bytes)
    return subprocess.run(["sh", "-c", line], input=data, env=env, capture_output=True, check=False)


def test_root_needs_no_sudo() -> None:
    assert "sudo" not in as_root("id", "root", "secret")
    assert root_stdin(b"x", "root", "secret") == b"x"
    assert root_stdin(b"x", "admin", None) == b"x"


@pytest.mark.parametrize("given", ["secret", None])
def test_what_the_users_own_files_put_first_is_told_nothing(place: Path, given: str | None) -> None:
    """A .bashrc that put a directory with another sudo first had the password of all nodes."""
    theirs, seen = place / "theirs", place / "theirs-seen"
    theirs.mkdir()
    for name in ("sudo", "sh", "env"):
        (theirs / name).write_text(f"#!/bin/sh\n{{ echo {name}; cat; }} >>{seen}\n")
        (theirs / name).chmod(0o755)
    line = as_root("cat", "admin", given).replace(USUAL, f"PATH={place}:/usr/local/sbin:")
    data = root_stdin(b"input", "admin", given)
    assert isinstance(data, bytes)
    functions = "sh() { cat >&2; }; sudo() { cat >&2; }; env() { cat >&2; }\n"
    done = subprocess.run(
        ["bash", "-c", f"PATH={theirs}:$PATH; {functions}{line}"],
        input=data,
        env={**os.environ, "RULE": "password" if given else "none", "PASSWORD": "secret"}
        | {"SEEN": str(place / "seen")},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"input", b"")
    assert not seen.exists()


PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin; export PATH"
ASK_NOT = f'LANGUAGE=C; export LANGUAGE; {PATH}; exec sudo -n -- sh -c "$1"'


@pytest.mark.parametrize(("command", "user", "line"), [
    ("id", "root", f"sh -c '{PATH}; id'"),
    ("echo $HOME", "root", f"sh -c '{PATH}; echo $HOME'"),
    ("id", "eve", f"/bin/sh -c '{ASK_NOT}' dlws '{PATH}; id'"),
    ("ls 'a b'", "eve",
     f"/bin/sh -c '{ASK_NOT}' dlws '{PATH}; ls '\"'\"'a b'\"'\"''"),
])  # fmt: skip
def test_as_root_without_a_password(command: str, user: str, line: str) -> None:
    assert as_root(command, user, None) == line


@pytest.mark.parametrize(("stdin", "user", "password", "given"), [
    (b"in", "root", None, b"in"),
    (b"in", "root", "secret", b"in"),
    (b"in", "eve", None, b"in"),
    (b"in", "eve", "secret", b"secret\nin"),
    (b"", "eve", "s ü", "s ü\n".encode()),
])  # fmt: skip
def test_root_stdin(stdin: bytes, user: str, password: str | None, given: bytes) -> None:
    assert root_stdin(stdin, user, password) == given


@pytest.mark.parametrize("password", AWKWARD)
@pytest.mark.parametrize("rule", ["password", "none"])
def test_the_command_gets_its_own_input_whether_sudo_asks_or_not(
    place: Path, password: str, rule: str
) -> None:
    done = run(place, "cat; exit 3", password, password, rule, b"line 1\n\xff\x00line 2")
    assert (done.returncode, done.stdout) == (3, b"line 1\n\xff\x00line 2")


def test_a_sudo_that_reads_all_there_is_leaves_the_command_its_input(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sudo-rs 0.2.5 does: scripts and copies went lost behind the password."""
    monkeypatch.setenv("GREEDY", "yes")
    done = run(place, "cat; exit 3", "secret", "secret", "password", b"line 1\n\xff\x00line 2")
    assert (done.returncode, done.stdout) == (3, b"line 1\n\xff\x00line 2")
    wrong = run(place, "cat", "wrong", "secret", "password", b"secret\n")
    assert (wrong.returncode, wrong.stdout) == (1, b"")


@pytest.mark.parametrize("password", AWKWARD)
def test_the_password_is_on_no_command_line(password: str) -> None:
    assert as_root("id", "admin", password) == as_root("id", "admin", "another")


def test_a_wrong_password_is_tried_once_and_the_input_never(place: Path) -> None:
    done = run(place, "cat", "wrong", "right", "password", b"payload\nright\n")
    assert (done.returncode, done.stdout) == (1, b"")
    assert (place / "seen").read_text() == "wrong\n"
    assert refused(done.returncode, done.stderr.decode())


def test_an_input_in_pieces_follows_the_password() -> None:
    stdin = root_stdin(iter([b"a", b"", b"b"]), "admin", "pw")
    assert not isinstance(stdin, bytes)
    assert b"".join(stdin) == b"pw\nab"


@pytest.mark.parametrize("words", [
    "sudo: a password is required",
    "Sorry, try again.\nsudo: no password was provided\nsudo: 1 incorrect password attempt",
    "bob is not in the sudoers file.  This incident will be reported.",
    "Sorry, user bob is not allowed to execute '/bin/sh' as root on w1.",
    "Sorry, user bob may not run sudo on w1.",
    "sudo: sorry, you must have a tty to run sudo",
    "sudo-rs: interactive authentication is required",
    "sudo: Authentication failed, try again.\nsudo-rs: Maximum 3 incorrect authentication attempts",
    "sudo-rs: I'm sorry admin. I'm afraid I can't do that",
])  # fmt: skip
def test_what_sudo_says_when_it_refuses(words: str) -> None:
    assert refused(1, words)
    assert not refused(0, words)


@pytest.mark.parametrize(("words", "helps"), [
    ("sudo: sorry, you must have a tty to run sudo", "!requiretty"),
    ("sudo: Account or password is expired, reset your password and try again", "chage -M -1"),
    ("sudo: account validation failure, is your account locked?", "chage -M -1"),
    ("sudo: PAM account management error: Permission denied", "chage -M -1"),
    ("sudo: Account expired or PAM config lacks an \"account\" section for sudo, contact your "
     "system administrator", "chage -M -1"),
    ("/etc/sudoers:3:9: syntax error\nsudo: no valid sudoers sources found, quitting", "visudo -c"),
    ("sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set", "chmod 4755"),
    ("sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' option set "
     "or an NFS file system without root privileges?", "chmod 4755"),
    ("sudo: /etc/sudoers is world writable", "visudo -c"),
])  # fmt: skip
def test_what_sudo_itself_needs_is_the_cure(words: str, helps: str) -> None:
    assert refused(1, words) and helps in cure(words, "bob")
    assert not refused(1, words.replace("sudo: ", "").replace("/etc/", "a"))


def test_sudo_rs_that_cannot_read_its_rules_is_no_refusal_of_the_user() -> None:
    says = "sudo-rs: I'm sorry adam. I'm afraid I can't do that"
    assert refused(1, says) and not cure(says, "adam")
    broken = f"/etc/sudoers-rs:1:14: expecting ')' but found '\\n'\nadam ALL=(ALL\n  ^\n{says}"
    assert refused(1, broken) and "visudo -c" in cure(broken, "adam")


def test_where_a_password_helps_root_has_nothing_to_do() -> None:
    assert cure("sudo: a password is required", "bob") == ""
    assert not refused(1, "sudo: unable to resolve host w1: Name or service not known")


def test_a_command_that_fails_is_no_refusal() -> None:
    assert not refused(1, "apt: you are not allowed to do this without sudo")
