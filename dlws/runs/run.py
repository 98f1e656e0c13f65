"""What a run holds from its first change on: its record, and the locks that keep others away."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dlws import __version__
from dlws.core.connection import Halt
from dlws.core.errors import Refused
from dlws.runs import lock
from dlws.runs.appendlog import JournalUnwritable
from dlws.runs.journal import Journal, config_hash, ended, new_id, read
from dlws.secrets.redaction import Redactor

if TYPE_CHECKING:
    from dlws.runs.options import Options


class Keeper:
    """Begins the record of a run with its first change; holds the cluster's locks from then on."""

    def __init__(self, options: Options, redactor: Redactor) -> None:
        self._options, self._redactor, self._mutex = options, redactor, threading.Lock()
        self.id = options.resume or new_id(time.time())
        self._journal: Journal | None = None
        self._held: lock.Held | None = None
        self._guard: lock.Lock | None = None
        self._versions = {"dlws": __version__, "python": platform.python_version()}
        self.halt = Halt()

    def watch(self, guard: lock.Lock | None, versions: Mapping[str, str]) -> None:
        """From now on, whoever changes() a node holds `guard`, too; `versions` are recorded."""
        self._guard = guard
        self._versions |= versions

    def __call__(self) -> Journal:
        """The record, for what changes nothing but this machine."""
        return self._begun(None)

    def changing(self) -> Journal:
        """The record, for a change of a node."""
        return self._begun(self._guard)

    def _begun(self, guard: lock.Lock | None) -> Journal:
        with self._mutex:
            self.halt.check()  # one wait is enough, however many nodes ask
            try:
                self._lock(guard)
                if self._journal is None:
                    self._journal = _begin(self.id, self._options, self._redactor, self._versions)
            except OSError as error:
                where = error.filename or self._options.directory / "deploy"
                self._stop(JournalUnwritable(Path(where), error))
            except Refused as refusal:
                self._stop(refusal)
            assert self._journal
            return self._journal

    def _stop(self, refusal: Refused) -> NoReturn:
        if self._guard:
            self._guard.release()  # no node can be asked for anything after that
        self.halt.refusal = refusal
        raise refusal

    def _lock(self, guard: lock.Lock | None) -> None:
        deadline = time.monotonic() + self._options.lock_wait
        if self._held is None:
            self._held = lock.take(self._options.directory / "deploy", self._options, deadline)
        if guard:
            guard.take(self.id, deadline)

    def note(self, kind: str, **fields: Any) -> None:
        """Record something, where this run has a record by now."""
        if self._journal:
            self._journal.write(kind, **fields)

    def note_change(self, node: str, text: str) -> None:
        """Record a change in words; it is of this machine where `node` is empty."""
        self.note("changed", **({"node": node} if node else {}), what=text)

    def close(self, outcome: str) -> None:
        """The end of the run and of its record."""
        journal, self._journal = self._journal, None
        try:
            if journal:
                journal.close(outcome)
        finally:
            self.release()

    def release(self) -> None:
        """Give the locks back; further calls do nothing."""
        if self._guard:
            self._guard.release()
        if self._held:
            self._held.release()
            self._held = None


def _begin(run: str, options: Options, redactor: Redactor, versions: Mapping[str, str]) -> Journal:
    place = options.directory / "deploy/runs" / run
    if options.resume:
        ended(read(place))  # it may have been, while we waited
    journal = Journal(place, run, redactor)
    if options.resume:
        journal.write("resume", pid=os.getpid())
        return journal
    config = config_hash(options.directory)
    where = {"cwd": os.getcwd(), "argv": list(options.argv), "command": options.command}
    journal.write("run", id=run, pid=os.getpid(), config=config, **where, versions=versions)
    return journal
