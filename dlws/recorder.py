"""Commands on a node that keep their outcome there, so that nothing is done twice.

A command has an operation id. Sent again with the same id, it is not run again: one that has ended
gives back its output and exit status, one that still runs is waited for. Only one that died with
its machine is run anew. So a connection may break, or this program be killed, at any moment.
"""

from __future__ import annotations

import hashlib
import os

from dlws.shell import script, sh

# $1 is the operation's id, the rest the command. It writes into pipes of which tee -p goes on
# reading when the connection is gone: a broken pipe must not stop it half-way. Of each stream
# 64 KiB stay on the node. Exit status 125: not run, since its outcome could not be kept.
_RECORD = """umask 077; op=$1; shift
if [ "$(id -u)" = 0 ]; then base=/var/lib/dlws/ops; else base=$HOME/.dlws/ops; fi
here=$base/$op; boot=$(cat /proc/sys/kernel/random/boot_id)
started() { cut -d' ' -f22 "/proc/$1/stat" 2>/dev/null; }
runs() {
  read -r pid time then <"$here/pid" 2>/dev/null &&
    [ "$then" = "$boot" ] && [ "$(started "$pid")" = "$time" ]
}
mkdir -p "$base" && find "$base" -mindepth 1 -maxdepth 1 -mtime +7 -exec rm -rf {} +
if [ -d "$here" ]; then
  while [ ! -e "$here/exit" ] && runs; do sleep 0.1; done
  if [ -e "$here/exit" ]; then
    cat >/dev/null; cat "$here/out"; cat "$here/err" >&2; exit "$(cat "$here/exit")"
  fi
  rm -rf "$here"
fi
mkdir "$here" && echo "$$ $(started $$) $boot" >"$here/pid" && : >"$here/out" &&
  : >"$here/err" && mkfifo "$here/1" "$here/2" || { rm -rf "$here"; exit 125; }
tee -p "$here/out" <"$here/1" &
tee -p "$here/err" <"$here/2" >&2 &
"$@" >"$here/1" 2>"$here/2"; code=$?
wait; rm -f "$here/1" "$here/2"
for file in out err; do
  [ "$(wc -c <"$here/$file")" -le 65536 ] || {
    tail -c 65536 "$here/$file" >"$here/cut" && mv "$here/cut" "$here/$file"; }
done
echo $code >"$here/exit.new" && sync "$here/exit.new" &&
  mv "$here/exit.new" "$here/exit" || exit 125
exit $code"""


def recorded(operation: str, command: str) -> str:
    """`command` (a shell line) under the recorder, as one shell line."""
    return f"{script(_RECORD, operation)} {sh('sh', '-c', command, 'dlws')}"


def operation(run: str, node: str, command: str, stdin: bytes | None, turn: int) -> str:
    """The id of a command in a run: equal commands differ by `turn`, the count of those before."""
    digest = hashlib.sha256()
    for part in (*map(os.fsencode, (run, node, command, str(turn))), stdin or b""):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:24]
