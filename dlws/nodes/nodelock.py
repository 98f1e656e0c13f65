"""One run at a time changes a cluster, from whichever devbox: a lock on the first infra node.

It is a file whose holder touches it now and then. Nobody but a person breaks it, and a run whose
lock was broken stops by itself. The node's clock counts.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, Refused
from dlws.core.program import PROGRAM
from dlws.core.text import took
from dlws.runs import lock
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.node import Node
    from dlws.runs.options import Options
    from dlws.runs.run import Run

BEAT = 15.0
"""Seconds between two heartbeats."""
STALE = 60
"""Seconds without a heartbeat after which a lock is called stale."""
_LOOK = "look at /var/lib/dlws/lock on the first infra node; without it, no run is under way"
_POLL = 1.0
"""Seconds between two tries of a run that waits."""

Content = Mapping[str, Any]

# $1 is what to do, $2 the directory whose lock may be taken over. Standard input is the token of
# the lock it is about, which no list of processes is to show, and from its second line on the new
# content. Each runs alone (flock). Prints a verdict, then times and content of the lock as it was
# found: JSON, and in a second line when it was taken.
_LOCK = """umask 077; place=$2 base=/var/lib/dlws lock=/var/lib/dlws/lock
IFS= read -r token
if [ ! -d "$base" ]; then
  [ "$1" = take ] || { echo none; exit; }
  mkdir -m 755 "$base" || [ -d "$base" ] || exit 1
fi
exec 9<"$base" && flock -w 20 9 || exit 1
has() {
  IFS= read -r content 2>/dev/null <"$lock" || return 1
  case $content in *"\\"$1\\": \\"$2"*) ;; *) return 1 ;; esac
}
says() {
  echo "$1"; [ -e "$lock" ] || return 0
  echo "$(date +%s) $(stat -c %Y "$lock")"; cat "$lock"
}
write() {
  { cat && echo && date +%s; } >"$lock.new" && mv -f "$lock.new" "$lock" ||
    { rm -f "$lock.new"; exit 1; }
}
case $1 in
take)
  if [ ! -e "$lock" ] || has broken '' || has token "$token" || has directory "$place"; then
    says taken; write
  else cat >/dev/null; says held; fi ;;
beat)
  if has token "$token"; then says kept; touch "$lock"
  else says lost; if has broken "$token"; then rm -f "$lock"; fi; fi ;;
release) if has token "$token" || has broken "$token"; then rm -f "$lock"; fi; echo released ;;
break) if has token "$token"; then says broken; write; else says changed; fi ;;
clear) if has token '' || has broken ''; then says changed; else rm -f "$lock"; echo broken; fi ;;
show) if [ -e "$lock" ]; then says held; else echo none; fi ;;
esac"""


class LockUnreadable(DeployError):
    """What a node says of its lock makes no sense."""

    lost = True
    """As where no answer came, the lock may be ours all the same."""


@dataclass(frozen=True)
class LockState:
    """A lock as it was found on its node; `who` is empty where there was none."""

    verdict: str
    who: Content = field(default_factory=dict)
    silent: int = 0
    """Seconds since its last heartbeat."""
    held: int = 0
    """Seconds since it was taken, or broken."""
    damaged: bool = False
    """Whether its file is empty, as after a crash or on a full disk: whose it was, nobody knows."""

    @property
    def token(self) -> str:
        return str(self.who.get("token", ""))

    @property
    def broken(self) -> str:
        """The token of the run whose lock was broken, where that is all that is left of it."""
        return str(self.who.get("broken", ""))

    @property
    def free(self) -> bool:
        return not self.token and not self.damaged

    @property
    def stale(self) -> bool:
        return not self.free and (self.damaged or self.silent > STALE)

    @property
    def words(self) -> str:
        if self.free:
            by = self.who.get("by")
            return f"free ({took(self.held)} ago broken by {by})" if by else "free"
        if self.damaged:
            return f"its file is empty since {took(self.silent)}: nobody knows whose it was"
        beat = f"last heartbeat {took(self.silent)} ago"
        return f"{lock.words(self.who, self.held)}, {'stale: ' if self.stale else ''}{beat}"

    def as_data(self, node: str) -> dict[str, Any]:
        """The lock for programs; without its token, by which it could be kept or given back."""
        if self.free:
            return {"node": node, "state": "free"}
        who = {key: value for key, value in self.who.items() if key != "token"}
        state = "stale" if self.stale else "held"
        times = {"held_seconds": self.held, "silent_seconds": self.silent}
        return {"node": node, "state": state, **times, **who}


_VERDICTS = {"taken", "held", "kept", "lost", "released", "broken", "changed", "none"}
_TIMES = re.compile(r"([0-9]{1,12}) ([0-9]{1,12})\n([^\n]{2,1048576})\n([0-9]{1,12})")
_EMPTY = re.compile(r"([0-9]{1,12}) ([0-9]{1,12})\s*")
_WORD = str | int | float | None


def parse(text: str) -> LockState:
    """What the script on the node printed; raises DeployError where it is nothing of the kind."""
    verdict, _, lock_there = text.partition("\n")
    found = _TIMES.fullmatch(lock_there)
    if empty := _EMPTY.fullmatch(lock_there):
        silent = int(empty[1]) - int(empty[2])
        return LockState(verdict, silent=max(0, silent), damaged=True)
    try:
        if verdict not in _VERDICTS or bool(lock_there) != bool(found):
            raise ValueError(verdict)
        if not found:
            return LockState(verdict)
        now, touched, taken = (int(found[group]) for group in (1, 2, 4))
        return LockState(verdict, _who(found[3]), max(0, now - touched), max(0, now - taken))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise LockUnreadable(
            f"the lock on the node cannot be read: {text[:200]!r}",
            _LOOK,
        ) from error


def _who(text: str) -> Content:
    """Who holds the lock: a table of words."""
    who = json.loads(text)
    if not isinstance(who, dict) or not all(isinstance(word, _WORD) for word in who.values()):
        raise TypeError(text)
    if "token" in who:
        lock.words(who, 0)
    return who


def ask(
    node: Node,
    what: str,
    token: str = "",
    place: str = "",
    content: Mapping[str, Any] | None = None,
) -> LockState:
    """Take, keep, release, break or look at the lock on a node."""
    # A read, since it is no change that the run was asked for: it is neither recorded nor resumed.
    data = f"{token}\n{json.dumps(content) if content else ''}".encode()
    line = script(_LOCK, what, place)
    result = node.read(line, stdin=data, sudo=True, check=False)
    if not result.ok:
        says = result.last_words or "no words"
        raise DeployError(f"its lock cannot be had: exit {result.code}, {says}", _LOOK)
    return parse(result.text)


def break_it(node: Node, seen: LockState, options: Options) -> None:
    """Break the lock that was seen; raises Refused where it is another one by now."""
    who = lock.signature(options)
    mark = {"broken": seen.token, "by": f"{who['user']}@{who['host']}"}
    now = ask(node, "clear") if seen.damaged else ask(node, "break", seen.token, content=mark)
    if now.verdict != "broken":
        raise Refused(
            f"the lock on {node.name} is another one by now: {now.words}",
            f"see: {PROGRAM} lock status",
        )


def directory_id(directory: Path) -> str:
    """This cluster's directory on this devbox: a copy of it is another one."""
    machine = Path("/etc/machine-id")
    facts = [platform.node(), machine.read_text() if machine.exists() else ""]
    facts += [str(directory.resolve()), str((directory / "deploy").stat().st_ino)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16]


def break_line(options: Options) -> str:
    """The line that breaks the lock of this cluster."""
    return options.line("lock", "break")


class Guard:
    """Holds the lock from the run's first change of a node on, and stops the run if it is lost."""

    def __init__(self, node: Node, run: Run, close: Callable[[], None]) -> None:
        self._node, self._options, self._console = node, run.options, run.console
        self._halt, self._close = run.halt, close
        self._token, self._who = secrets.token_hex(8), dict[str, Any]()
        self._place = ""
        self._taken, self._sent = False, False
        self._asking, self._ended = threading.Lock(), threading.Event()
        self._thread: threading.Thread | None = None

    def take(self, run: str, deadline: float) -> None:
        """Take the lock, waiting for it until `deadline`; raises Refused where another run has it.

        A node that cannot be asked now is asked again with each heartbeat.
        """
        if self._thread:
            return
        self._place = directory_id(self._options.directory)
        own = {"run": run, "token": self._token, "directory": self._place}
        self._who = {**lock.signature(self._options), **own}
        try:
            self._wait(deadline)
        except Refused:
            raise
        except DeployError as error:
            self._console.warn(
                f"no lock on {self._node.name}, so runs from other devboxes are not kept apart "
                f"from this one: {error.message}"
            )
        self._thread = threading.Thread(target=self._beat, daemon=True)
        self._thread.start()

    def release(self) -> None:
        """Give the lock back, if it is ours; further calls do nothing."""
        self._ended.set()
        # A question under way may still bring us the lock; one to a dead node is not waited for.
        if not self._asking.acquire(timeout=10):
            self._left("it does not answer")
            return
        try:
            if self._sent and not self._halt.refusal:
                self._sent = False
                ask(self._node, "release", self._token)
        except DeployError as error:
            self._left(error.message)
        finally:
            self._asking.release()

    def _left(self, why: str) -> None:
        self._console.warn(
            f"the lock on {self._node.name} was not given back: {why}\n"
            f"the next run from here takes it over; elsewhere: {break_line(self._options)}"
        )

    def _wait(self, deadline: float) -> None:
        while True:
            seen = self._ask("take")
            if seen.verdict == "taken":
                self._tell(seen)
                return
            if time.monotonic() >= deadline or self._ended.wait(_POLL):
                raise self._refusal(seen)

    def _ask(self, what: str) -> LockState:
        with self._asking:
            if self._ended.is_set():
                raise Refused("the run has ended")
            # Where the answer is lost, the lock may be ours all the same.
            self._sent = True
            try:
                seen = ask(self._node, what, self._token, self._place, self._who)
            except DeployError as error:
                self._sent = self._taken or getattr(error, "lost", False)
                raise
            self._sent = self._taken = seen.verdict in ("taken", "kept")
        return seen

    def _tell(self, before: LockState) -> None:
        if before.token not in ("", self._token):
            pid, run = before.who.get("pid"), before.who.get("run")
            self._console.say(
                f"took over the lock on {self._node.name} from {run}: its process here, pid {pid}, "
                "has ended without giving it back"
            )

    def _refusal(self, seen: LockState) -> Refused:
        other = f"another run changes this cluster (lock on {self._node.name}): {seen.words}"
        wait = "wait for it with --lock-wait SECONDS before the command"
        line = break_line(self._options)
        return Refused(other, f"if that run is dead: {line}" if seen.stale else wait)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT):
            had = self._taken
            try:
                seen = self._ask("beat" if had else "take")
            except DeployError:
                continue  # the node is away or rebooting: the lock lies there all the same
            if had and not self._taken:
                self._stop(self._lost(seen))
            elif not self._taken:
                self._stop(self._refusal(seen))
            elif not had:
                self._console.say(f"{self._node.name} can be asked now: the lock there is held")

    def _stop(self, refusal: Refused) -> None:
        """Start no further command anywhere, and end the connections of those under way."""
        self._ended.set()
        self._halt.refusal = refusal
        self._close()

    def _lost(self, seen: LockState) -> Refused:
        what = "is gone: somebody removed it"
        if seen.broken == self._token:
            what = f"was broken by {seen.who.get('by')}, {took(seen.held)} ago"
        elif not seen.free:
            what = f"was broken, and is held by {seen.words}"
        return Refused(
            f"the lock of this run on {self._node.name} {what}; no further command was started",
            f"when no other run is under way: {PROGRAM} resume",
        )
