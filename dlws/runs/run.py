"""One run: its options and console, its gate, its journal and its locks."""

from __future__ import annotations

import copy
import os
import platform
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from dlws import __version__
from dlws.core.connection import Halt
from dlws.core.errors import Refused
from dlws.runs import lock
from dlws.runs.appendlog import JournalUnwritable
from dlws.runs.gate import Gate
from dlws.runs.journal import Journal, config_hash, ended, find, new_id, read
from dlws.runs.records import records
from dlws.secrets.redaction import Redactor
from dlws.secrets.vault import Vault

if TYPE_CHECKING:
    from dlws.runs.console import Console
    from dlws.runs.options import Options


class Run:
    """One invocation: what everything that it changes has in common.

    These are its options, console, vault and gate (dry runs, applied plans); from its first change
    on also its journal, and the locks that keep other runs away from the cluster.
    """

    def __init__(
        self, options: Options, console: Console, vault: Vault | None = None, recorded: bool = True
    ) -> None:
        self.options, self.console, self.recorded = options, console, recorded
        self.vault = vault or Vault(options.directory)
        self.gate = Gate(console, options.dry_run, options.applied_plan, options.diff)
        self.id = options.resume or new_id(time.time())
        self.halt = Halt()
        self.quarantines = False
        """Whether a node that fails is left out for the rest of the run, and the others go on."""
        self.excluded = frozenset[str]()
        """Nodes that are left out of this step: no plan can know yet what it would do there."""
        self._mutex = threading.Lock()
        self._journal: Journal | None = None
        self._held: lock.Held | None = None
        self._guard: lock.Lock | None = None
        self._versions = {"dlws": __version__, "python": platform.python_version()}

    @property
    def dry_run(self) -> bool:
        return self.options.dry_run

    @property
    def guarded(self) -> bool:
        """Whether a change of a node takes a lock on the first infra node."""
        return self._guard is not None

    @property
    def seed(self) -> str:
        """What chance is made from, so that a resumed run and an applied plan choose the same."""
        return self.options.seed or self.id

    def beside(self, console: Console) -> Run:
        """This run, for work that goes on beside it: told elsewhere, and halted by itself."""
        found = copy.copy(self)
        found.console, found.halt = console, Halt()
        return found

    def watch(self, guard: lock.Lock | None, versions: Mapping[str, str]) -> None:
        """From now on, a change of a node takes `guard`, too; `versions` are recorded."""
        self._guard = guard
        self._versions |= versions

    def exclude(self, names: Iterable[str]) -> None:
        """Leave these nodes, and no others, out of what follows."""
        self.excluded = frozenset(names)

    def journal(self, changes_node: bool = False) -> Journal | None:
        """The journal, begun by now, and the locks that a change needs, taken by now.

        None where this run is not recorded. Raises Refused where another run holds a lock.
        """
        if not self.recorded:
            return None
        return self._begun(self._guard if changes_node else None)

    def begin(self) -> None:
        """Begin the journal before the first change, so that the run can be resumed."""
        if not self.dry_run:
            self.journal()

    def begin_step(self, name: str) -> None:
        if not self.dry_run and (journal := self.journal()):
            journal.step = name

    def write(self, kind: str, **fields: Any) -> None:
        """Record something, unless this is a dry run; begin the journal where it is not yet."""
        if not self.dry_run and (journal := self.journal()):
            journal.write(kind, **fields)

    def note(self, kind: str, **fields: Any) -> None:
        """Record something, where this run has a journal by now."""
        if self._journal:
            self._journal.write(kind, **fields)

    def note_change(self, node: str, text: str) -> None:
        """Record a change in words; it is of this machine where `node` is empty."""
        self.note("changed", **({"node": node} if node else {}), what=text)

    def steps_done(self) -> set[str]:
        """The steps that the run which is being resumed had finished on every node."""
        if not self.options.resume:
            return set()
        run = find(self.options.directory / "deploy", self.options.resume)
        steps = [record for record in records(run) if record["kind"] == "step"]
        return {record["name"] for record in steps if not record.get("without")}

    def _begun(self, guard: lock.Lock | None) -> Journal:
        with self._mutex:
            self.halt.check()  # one wait is enough, however many nodes ask
            try:
                self._lock(guard)
                if self._journal is None:
                    redactor = self.console.redactor
                    self._journal = _begin(self.id, self.options, redactor, self._versions)
            except OSError as error:
                where = error.filename or self.options.directory / "deploy"
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
        deadline = time.monotonic() + self.options.lock_wait
        if self._held is None:
            self._held = lock.take(self.options.directory / "deploy", self.options, deadline)
        if guard:
            guard.take(self.id, deadline)

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
