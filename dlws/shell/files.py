"""Files for a node: what is already there with the same content is not sent again."""

from __future__ import annotations

import base64
import difflib
import hashlib
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from dlws.core.errors import DeployError, UsageError
from dlws.core.text import split_lines
from dlws.shell.enter import ENTER
from dlws.shell.quoting import STARTED, script

_CHUNK = 1 << 20


def _each(work: str) -> str:
    """A script that does some work for each path on standard input.

    `there` goes to its directory, as `enter` does ($found is how that ended). A `plain` file is
    then opened once, and looked at as $FILE: its name may be another's by then.
    """
    return f"""{ENTER}last=
there() {{
  name=./${{path##*/}}
  [ "${{path%/*}}/" = "$last" ] || {{ found=0; enter "${{path%/*}}" 2>/dev/null || found=$?; }}
  last=${{path%/*}}/
  [ "$found" = 0 ]
}}
plain() {{ there && [ ! -L "$name" ] && [ -f "$name" ]; }}
FILE=/proc/self/fd/8
while IFS= read -r path; do
  {work}
done"""


# For each path given, on standard input or as a word: its sha256, mode and owner; of what is no
# file, dashes and whether it is a directory, a link, or behind a link that is not root's. openssl
# hashes four times as fast as sha256sum, and takes 20 ms to start.
_STATE = (
    """state() {
  [ -f "$FILE" ] && is=$(stat -L -c '%s %a %U:%G' "$FILE") || return 1
  { [ "${is%% *}" -ge 16777216 ] && sum=$(openssl dgst -sha256 -r <"$FILE" 2>/dev/null); } ||
    sum=$(sha256sum <&8) || return 1
  printf '%s %s\\n' "${sum%% *}" "${is#* }"
}
{ [ $# = 0 ] && cat || printf '%s\\n' "$@"; } | {
"""
    + _each(
        """if plain && state 8<"$name"; then :
  elif [ "$found" = 2 ]; then echo '- - unsafe'
  elif [ "$found" = 0 ] && [ -d "$name" ]; then echo '- - directory'
  elif [ "$found" = 0 ] && [ -L "$name" ]; then echo '- - link'
  else echo '- - -'; fi"""
    )
    + "\n}"
)
_WORDS = 4096
"""Bytes of paths that go on the command line: OpenSSH takes standard input a round trip later."""

_SHOWN = 64 * 1024
"""Larger files are not shown line by line."""
_COMPARED = 4000
"""Nor are those of more lines: comparing takes the square of their number at worst."""

# For each path on standard input: its beginning in base64; an empty line where there is none that
# anybody may read.
CONTENT = script(
    """content() {
  [ -f "$FILE" ] && case $(stat -L -c %a "$FILE") in *[4567]) head -c "$1" <&8 | base64 -w0 ;; esac
}
"""
    + _each('! plain || content "$1" 8<"$name"; echo'),
    _SHOWN + 1,
)


# Makes $work, a directory that is its process's own by its name: what is left of those that were
# killed, or ended with the machine, goes away now.
WORK = f"""place=${{TMPDIR:-/var/tmp}} many=0
{STARTED}
for old in "$place"/dlws.[0-9]*.*.*; do
  # Only what is our own: in /var/tmp everybody may make such names, and large trees below them.
  [ -d "$old" ] && [ ! -L "$old" ] && [ -O "$old" ] || continue
  [ $((many += 1)) -le 100 ] || break
  pid=${{old##*/dlws.}}; start=${{pid#*.}}; pid=${{pid%%.*}}
  started "$pid" && [ "$began" = "${{start%%.*}}" ] || rm -rf "$old"
done
started $$
work=$(mktemp -d "$place/dlws.$$.$began.XXXXXXXX") || exit 1
"""

# Unpacks standard input into a directory of its own and runs the command given as $1... there.
RUN = script(
    f"{WORK}"
    """trap 'rm -rf "$work"' EXIT; trap 'exit 129' HUP; trap 'exit 130' INT; trap 'exit 143' TERM
tar -xf - -C "$work" && cd "$work" && "$@" </dev/null"""
)

# Unpacks a tar of files named 0, 1, ... and `list` (mode owner name path), then moves each into
# place: mode and owner are right before the content is visible, and nothing is ever half-written.
# It follows nobody's links but root's to get there.
PLACE = script(
    f"set -e; umask 077; {WORK}{ENTER}last="
    """
trap 'rm -rf "$work"' EXIT
tar -xpf - -C "$work" --same-owner || { echo "cannot unpack in $work: disk full?" >&2; exit 1; }
# Another may be at work still, for a run that was killed: one at a time from here on.
exec 9>/run/dlws-files.lock; flock 9
while IFS=' ' read -r mode owner name path; do
  path=${path%.}; file=./${path##*/}; new=$file.dlws-new
  [ "${path%/*}/" = "$last" ] || enter "${path%/*}" make ||
    { echo "$path cannot be placed" >&2; exit 1; }
  last=${path%/*}/
  [ ! -d "$file" ] || { echo "$path is a directory" >&2; exit 1; }
  # The tar has modes, and root as the owner; another owner takes setuid bits away.
  if [ "$owner" != root:root ]; then chown "$owner" "$work/$name"; chmod "$mode" "$work/$name"; fi
  { mv -fT "$work/$name" "$new" && mv -fT "$new" "$file"; } || {
    rm -f "$new"
    ! mountpoint -q "$file" 2>/dev/null ||
      echo "$path is mounted from elsewhere, as in a container; first: umount $path" >&2
    for held in "$file" .; do
      flags=$(lsattr -d "$held" 2>/dev/null); [ "$held" = . ] && held=${path%/*} || held=$path
      case ${flags%% *} in *[ia]*) echo "$held is immutable; first: chattr -ia $held" >&2 ;; esac
    done
    exit 1
  }
done <"$work/list" """
)


@dataclass(frozen=True)
class File:
    """A file on a node. `content` is bytes, or the path of a file here that may be large."""

    path: str
    content: bytes | Path
    mode: int = 0o644
    owner: str = "root:root"

    def __post_init__(self) -> None:
        if not self.path.startswith("/") or self.path.endswith("/") or "\n" in self.path:
            raise UsageError(f"{self.path!r} is not the absolute path of a file on a node")

    @property
    def size(self) -> int:
        return self.content.stat().st_size if isinstance(self.content, Path) else len(self.content)

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for chunk in chunks(self.content):
            digest.update(chunk)
        return digest.hexdigest()

    @property
    def state(self) -> str:
        """The line that answers question() where this file is in place."""
        return f"{self.sha256} {self.mode:o} {_owner(self)}"


def chunks(content: bytes | Path) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


def question(files: Iterable[File]) -> tuple[str, bytes]:
    """The command that prints the state of files, and its standard input."""
    paths = [file.path for file in files]
    if sum(map(len, paths)) <= _WORDS:
        return script(_STATE, *paths), b""
    return script(_STATE), os.fsencode("".join(f"{path}\n" for path in paths))


DIRECTORY = "- - directory"
"""The state of a directory."""
_LINK, _UNSAFE = "- - link", "- - unsafe"


_ANSWER = re.compile(r"(-) (-) (-|directory|link|unsafe)|([0-9a-f]{64}) ([0-7]{1,4}) (.+)")


def states(answer: str, count: int) -> list[str]:
    """The states of so many files, in the words of question()."""
    found = split_lines(answer)
    if len(found) != count:
        raise DeployError(f"asked for the state of {count} files, got {len(found)} answers")
    if wrong := next((line for line in found if not _ANSWER.fullmatch(line)), ""):
        raise DeployError(f"asked for the state of files, got {wrong[:200]!r}")
    return found


def parts(state: str) -> tuple[str, str, str]:
    """Hash, mode and owner in a state. The names of some domains' users and groups have spaces."""
    found = _ANSWER.fullmatch(state)
    if not found:
        raise DeployError(f"{state[:200]!r} is no state of a file")
    digest, mode, owner = filter(None, found.groups())
    return digest, mode, owner


def differing(files: Iterable[File], states: Sequence[str]) -> list[tuple[File, str]]:
    """The files whose state is not what it should be, with that state."""
    files = list(files)
    unsafe = [file.path for file, has in zip(files, states, strict=True) if has == _UNSAFE]
    if unsafe:
        raise DeployError(
            f"{unsafe[0]}: a part of its path is a link that others than root made or can change",
            "give the path that the link stands for, if that is the place you mean",
        )
    return [(file, has) for file, has in zip(files, states, strict=True) if has != file.state]


def contents(answer: str, count: int) -> list[bytes]:
    """What CONTENT printed of so many files."""
    found = split_lines(answer)
    if len(found) != count:
        raise DeployError(f"asked for the content of {count} files, got {len(found)} answers")
    try:
        return [base64.b64decode(line, validate=True) for line in found]
    except ValueError as error:
        raise DeployError(f"asked for the content of files, got no base64: {error}") from error


def difference(file: File, state: str, old: bytes) -> tuple[str, ...]:
    """The lines that differ, for people; of what is private, large or no text, a word about it."""
    _, mode, owner = parts(state)
    lines = (
        ["a link is there now"]
        if state == _LINK
        else []
        if mode == "-" or (mode, owner) == (f"{file.mode:o}", _owner(file))
        else [f"mode and owner: {mode} {owner} -> {file.mode:o} {_owner(file)}"]
    )
    private = [m for m in (mode, f"{file.mode:o}") if m != "-" and not int(m, 8) & 0o004]
    if private:
        return (*lines, f"content not shown: mode {private[0]}")
    if file.size > _SHOWN or len(old) > _SHOWN:
        return (*lines, f"content not shown: {file.size} bytes")
    try:
        before, after = old.decode(), b"".join(chunks(file.content)).decode()
    except UnicodeDecodeError:
        return (*lines, "content not shown: not text")
    old_lines, new_lines = split_lines(before), split_lines(after)
    if max(len(old_lines), len(new_lines)) > _COMPARED:
        return (*lines, f"content not shown: {len(new_lines)} lines")
    names = ("there now" if mode != "-" else "not there", file.path)
    made = difflib.unified_diff(old_lines, new_lines, *names, lineterm="")
    return (*lines, *made)


def stream(files: list[File]) -> Iterator[bytes]:
    """The tar that PLACE reads."""
    # The dot at the end keeps spaces there: read strips those of the last word.
    rows = [f"{f.mode:o} {_owner(f)} {name} {f.path}.\n" for name, f in enumerate(files)]
    yield from tar([(str(name), f.content, f.mode) for name, f in enumerate(files)])
    # The list is last: of an archive that was cut off no file is placed.
    yield from tar([("list", os.fsencode("".join(rows)), 0o600)])
    yield bytes(2 * tarfile.BLOCKSIZE)


def tar(members: Iterable[tuple[str, bytes | Path, int]]) -> Iterator[bytes]:
    """Tar entries (name, content, mode) without the two empty blocks that end an archive."""
    for name, content, mode in members:
        size = content.stat().st_size if isinstance(content, Path) else len(content)
        yield _header(name, size, mode)
        yield from chunks(content)
        yield bytes(-size % tarfile.BLOCKSIZE)


@cache
def _header(name: str, size: int, mode: int) -> bytes:
    """Many nodes get the same files."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, mode
    return info.tobuf(tarfile.GNU_FORMAT)


def _owner(file: File) -> str:
    return file.owner if ":" in file.owner else f"{file.owner}:{file.owner}"
