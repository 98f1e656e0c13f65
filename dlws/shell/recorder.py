"""Commands on a node that keep their outcome there, so that nothing is done twice.

A command has an operation id. Sent again with the same id, it is not run again: one that has ended
gives back its output and exit status, one that still runs is waited for. Only one that died with
its machine is run anew. So a connection may break, or this program be killed, at any moment.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass

from dlws.core.connection import Result
from dlws.core.limits import HELD_SECONDS
from dlws.shell.quoting import STARTED, script, sh

REBOOT = 194
"""Exit status by which a command asks for a reboot: an answer, and no failure."""
KEPT_DAYS = 7
"""So long a node keeps the outcome of a command."""
NOT_KEPT = 125
"""Exit status of a command that was not run, since its outcome could not be kept, or CUT_SHORT."""
CUT_SHORT = "a part of its input was taken by something else, or did not arrive"

BOOT = "/proc/sys/kernel/random/boot_id"
ROOTS = "base=/var/lib/dlws/ops; memory=/run"
"""Where root's operations lie, and its input until a command starts."""

# What a node keeps of operation $op is in $here: pid (with its start and boot, so that another
# process of that id is told apart), out, err, and exit, of question marks until it has ended. $1 is
# whose operations they are. Input may be secret: root's is in memory, and gone from there before
# the command starts.
# It stands before every command, and a process costs a millisecond: what the shell can do by itself
# is done without one. `true >` and not `: >`: of that, a failure ends the shell.
_KEPT = f"""mask=$(umask); umask 077
if [ "$1" = root ]; then {ROOTS}; else base=$HOME/.dlws/ops; memory=$base; fi
shift
read -r boot <{BOOT}
{STARTED}
runs() {{
  [ -e "$here/pid" ] && read -r pid time then <"$here/pid" &&
    [ "$then" = "$boot" ] && started "$pid" && [ "$began" = "$time" ]
}}
ended() {{ read -r code 2>/dev/null <"$here/exit" && [ "$code" != '???' ]; }}
cannot() {{ echo "dlws: not run: its outcome cannot be kept in $base" >&2; exit 125; }}
[ -e "$base/.lock" ] || {{ mkdir -p "$base" && true >>"$base/.lock"; }} || cannot
exec 9<"$base/.lock"
"""

# A process that a command leaves behind may hold the pipes of its output, 1 and 4 here, and the
# tees would read on until it ends. Such a process began after us. Where its fds cannot be seen, as
# after sudo, its session counts. After a while a cat reads what it prints, for nobody: a pipe that
# nobody reads would end it.
HELD = """mine() { [ "$1" -ef "/proc/$me/fd/1" ] || [ "$1" -ef "/proc/$me/fd/4" ]; }
holds() {
  if [ -r "/proc/$1/fd" ]; then
    ! mine "/proc/$1/fd/0" || { tees="$tees $1"; return 1; }
    for file in "/proc/$1"/fd/*; do ! mine "$file" || return 0; done
    return 1
  fi
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  set -- ${stat##*) }; [ "$4" = "$session" ]
}
held() {
  who= tees= pid=$$
  read -r a b c d last </proc/loadavg
  if [ "$last" -lt "$pid" ] || [ "$((last - pid))" -gt 2000 ]; then
    set -- $(cd /proc && echo [0-9]*)
  else
    set --; while [ "$((pid += 1))" -le "$last" ]; do
      [ ! -d "/proc/$pid" ] || set -- "$@" "$pid"; done
  fi
  for pid; do
    case $pid in $$|"$me"|"$mother") continue ;; esac
    ! holds "$pid" || who="$who, pid $pid ($(tr '\\0\\n' '  ' <"/proc/$pid/cmdline" | head -c 80))"
  done
  [ "$who" ]
}
busy() { # A tee has not begun, and would be left to read on; or is not waiting for more to read.
  case $tees in *" "*" "*) ;; *) return 0 ;; esac
  for tee in $tees; do
    read -r stat <"/proc/$tee/stat"; set -- ${stat##*) }; [ "$1" = S ] || return 0
    read -r at <"/proc/$tee/wchan"; case $at in *pipe_read|pipe_wait|0|"") ;; *) return 0 ;; esac
  done
  return 1
}
let_go() { # $1: seconds it may take, and ten more for what was printed before
  read -r me a b mother c session d </proc/self/stat; turn=0
  while held; do
    if [ "$((turn += 1))" -gt "$(($1 * 5))" ] && { ! busy || [ "$turn" -gt "$(($1 * 5 + 50))" ]; }
    then
      exec 8<"/proc/$me/fd/1" 9<"/proc/$me/fd/4"
      kill $tees; sleep 0.2
      for fd in 8 9; do setsid cat <&$fd >/dev/null 4>&- 5>&- 6>&- 7>&- 8<&- 9<&- & done
      who="dlws: it has ended with $code; still at work, its output thrown away: ${who#, }"
      echo "$who" >&7; echo "$who" >>"$here/err"; return
    fi
    [ "$turn" != 10 ] || echo "dlws: it has ended with $code; its output is held by ${who#, }"
    sleep 0.2
  done
}
"""

# $1 is the operation's id, $2 the size of its standard input, $3 the seconds for which its output
# may be held when it has ended, the rest the command. Its input is
# complete before it starts: of a broken connection it could otherwise see the half. It writes into
# pipes of which tee -p goes on reading when the connection is gone: a broken pipe must not stop it
# half-way. Of each stream 64 KiB stay on the node. The exit status has its place on the disk from
# the beginning, so that a disk which is full by then cannot lose it.
_RECORD = f"""{_KEPT}{HELD}
op=$1 size=$2 patience=$3; shift 3
# Once a day, and after each start of the machine: its uptime in seconds was kept the last time.
read -r up rest </proc/uptime; up=${{up%.*}}; last=
[ ! -e "$base/.swept" ] || read -r last <"$base/.swept"
if [ -z "$last" ] || [ "$up" -lt "$last" ] || [ $((up - last)) -gt 86400 ]; then
  find "$base" -mindepth 1 -maxdepth 1 -type d -mtime +{KEPT_DAYS} -exec rm -rf {{}} +
  {{ echo "$up" >"$base/.swept"; }} 2>/dev/null
fi
here=$base/$op spool=
tell() {{ cat "$here/out"; cat "$here/err" >&2; exit "$code"; }}
# Before anything that a full disk could refuse: what is kept here has been run.
! ended || {{ cat >/dev/null; tell; }}
if [ "$size" -gt 0 ]; then
  spool=$memory/.dlws-input.$$
  said=$(LC_ALL=C dd bs=64k iflag=fullblock,count_bytes count="$size" 2>&1 >"$spool") ||
    {{ rm -f "$spool"; cannot; }}
  case $said in *"
$size byte"*) ;; *) rm -f "$spool"; echo "dlws: not run: {CUT_SHORT}" >&2; exit 125 ;; esac
fi
exec 3<"${{spool:-/dev/null}}"
[ -z "$spool" ] || rm -f "$spool"
while flock 9; do
  ! ended || tell
  runs || break
  flock -u 9; sleep 0.1
done
[ ! -e "$here" ] || rm -rf "$here"
started $$
mkdir "$here" && echo "$$ $began $boot" >"$here/pid" && echo '???' >"$here/exit" &&
  true >"$here/out" && true >"$here/err" || {{ rm -rf "$here"; cannot; }}
exec 9>&- 5>&1 7>&2
# Of the command only its exit status comes this way: 4 leads to the first tee, 5 and 7 out of here.
code=$({{ {{ {{ umask "$mask"; "$@" <&3 2>&1 >&4 3<&- 4>&- 5>&- 6>&- 7>&-
  code=$?; echo $code >&6; let_go "$patience"; }} |
  tee -p "$here/err" >&7 2>&7 4>&- 5>&- 6>&- 7>&-; }} 4>&1 |
  tee -p "$here/out" >&5 2>&7 5>&- 6>&- 7>&-; }} 6>&1 2>/dev/null)
code=${{code:-137}}
[ ! -s "$here/out" ] && [ ! -s "$here/err" ] || {{
  set -- $(stat -c %s "$here/out" "$here/err")
  for file in out err; do
    [ "$1" -le 65536 ] || {{
      tail -c 65536 "$here/$file" >"$here/cut" && mv "$here/cut" "$here/$file"; }}
    shift
  done
}}
printf '%-3d\\n' "$code" 1<>"$here/exit" && sync "$here/exit" || {{
  echo "dlws: it ended with $code, which cannot be kept in $base" >&2; exit 125; }}
exit $code"""

# $@ are operations. One that neither runs nor has ended is withdrawn: should its command still be
# on its way here, on a connection that hung, it does not start any more.
_SETTLE = f"""{_KEPT}
for op; do
  here=$base/$op said=
  while flock 9; ! ended && runs; do
    flock -u 9; [ "$said" ] || echo "$op runs"; said=1; sleep 0.2
  done
  if ended; then
    echo "$op $code"
  else
    [ -d "$here" ] && how=died || how=never
    rm -rf "$here"
    mkdir "$here" && true >"$here/out" && echo 'dlws: withdrawn' >"$here/err" &&
      echo 125 >"$here/exit" || exit 125
    echo "$op $how"
  fi
done"""

_LEFT = re.compile(r"^dlws: (it has ended with \d+; still at work, .*)$", re.MULTILINE)
# The processes that came of this connection, but this session's: "pid PID (COMMAND)", a line each.
LEFT = script(
    """read -r a b c d e own rest </proc/self/stat
for file in $(grep -lzxF "SSH_CONNECTION=$SSH_CONNECTION" /proc/[0-9]*/environ 2>/dev/null); do
  dir=${file%/*}
  { read -r stat <"$dir/stat"; } 2>/dev/null || continue
  set -- ${stat##*) }
  [ "$4" = "$own" ] ||
    printf '%s (%s)\\n' "pid ${dir#/proc/}" "$(tr '\\0\\n' '  ' <"$dir/cmdline" | head -c 80)"
done"""
)

_ANSWER = re.compile(r"^([0-9a-f]{1,64}) ([0-9]{1,3}|died|never)$", re.MULTILINE)


@dataclass(frozen=True)
class OperationOutcome:
    """What became of an operation: its exit status, or None where it died or never began."""

    operation: str
    code: int | None
    how: str

    @property
    def done(self) -> bool:
        """Whether it has done what it was asked for, and is not to be run again."""
        return self.code in (0, REBOOT)


def recorded(
    operation: str, command: str, size: int, root: bool, patience: int = HELD_SECONDS
) -> str:
    """`command` (a shell line with `size` bytes of input) under the recorder, as a shell line.

    `root`: whether it is root who runs it, who keeps operations elsewhere than users do.
    """
    before = script(_RECORD, _whose(root), operation, size, patience)
    return f"{before} {sh('sh', '-c', command, 'dlws')}"


def left_behind(result: Result) -> str:
    """What a command that has ended left at work, in words, where it was not waited for."""
    found = _LEFT.findall(result.err.decode(errors="replace"))
    return found[-1] if found else ""


def waiting_line(operations: Iterable[str], root: bool) -> str:
    """A shell line that waits for operations to end; outcomes() reads what it prints."""
    return script(_SETTLE, _whose(root), *operations)


def _whose(root: bool) -> str:
    return "root" if root else "user"


def outcomes(output: str) -> list[OperationOutcome]:
    """What came of operations, in the words of waiting_line()."""
    found = _ANSWER.findall(output)
    return [
        OperationOutcome(op, int(word), "ended")
        if word.isdigit()
        else OperationOutcome(op, None, word)
        for op, word in found
    ]


def not_kept(result: Result) -> bool:
    """Whether a recorded command was not run, or its end not kept, for want of a place for it."""
    return result.code == NOT_KEPT and b"dlws: " in result.err


def operation(run: str, step: str, node: str, command: str, stdin: bytes | None, turn: int) -> str:
    """The id of a command in a step of a run: equal ones differ by `turn`, the count of those
    before. The step counts, since a resumed run leaves out those that were finished."""
    digest = hashlib.sha256()
    for part in (*map(os.fsencode, (run, step, node, command, str(turn))), stdin or b""):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:24]
