"""Images that are built beside the steps before theirs, which need no node for that.

What comes of it lies in an engine of our own. The step itself does all that it did before: it finds
there what is built, and what could not be built it tries again, and says why.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, TextIO

from dlws.core.connection import Outlet, end_local
from dlws.core.errors import DeployError
from dlws.images import work
from dlws.nodes.cluster import Cluster
from dlws.runs.console import Console, outlets

if TYPE_CHECKING:
    from dlws.session import Session

Entry = tuple[str, ...]
"""The words before a docker command line that lead to an engine."""
LOG = "images-ahead"
"""The log of the run's record in which it stands what was done."""


class Aside(Console):
    """Shows a person the changes alone; all that is said goes to a log."""

    def __init__(self, whole: Console, log: Outlet) -> None:
        super().__init__()
        self.redactor = whole.redactor
        self.progress: Callable[[], str] = lambda: "images: begun"
        self._whole, self._log = whole, log

    def changed(self, text: str, node: str = "") -> None:
        self.changes.append(text)
        self.say(f"changed: {text}", node)
        self._whole.changed(text, node)

    @contextmanager
    def status(self, text: Callable[[], str], every: float = 30) -> Iterator[None]:
        self.progress = text
        yield

    def _write(self, stream: TextIO, text: str) -> None:
        self._log[0]("out", text.encode(errors="surrogateescape"))


class Ahead:
    """Builds images in a thread; its engine is there until it is closed."""

    def __init__(
        self, session: Session, words: Sequence[str], engine: AbstractContextManager[Entry]
    ) -> None:
        journal = session.run.journal()
        self._log: Outlet = journal.log(LOG) if journal else (lambda name, data: None, lambda: None)
        self._console = Aside(session.console, self._log)
        self._run = session.run.beside(self._console)
        self._cluster = Cluster(session.config, session.cluster.nodes, self._run)
        self._words, self._engine = list(words), engine
        self._entry: Entry | None = None
        self._built, self._over = threading.Event(), threading.Event()
        self._ending = ExitStack()
        self._ending.enter_context(work.ending())
        self._pool = ThreadPoolExecutor(1)
        self._done = self._pool.submit(self._work)

    def _work(self) -> None:
        with outlets(self._log):
            try:
                with self._engine as entry:
                    self._build(entry)
                    self._over.wait()
            except DeployError as error:
                self._console.say(f"failed: {error.message}")
            finally:
                self._built.set()

    def _build(self, entry: Entry) -> None:
        try:
            work.make(self._cluster, self._words, None, entry=entry)
        except DeployError as error:
            self._console.say(f"failed: {error.message}")
        finally:
            self._entry = entry
            self._built.set()

    @contextmanager
    def engine(self, console: Console) -> Iterator[Entry | None]:
        """Wait until all is built, and lead to the engine while the block runs; None: there is
        no engine."""
        try:
            with console.status(self._progress, every=10):
                self._built.wait()
            if self._done.done():
                self._done.result()
            yield None if self._over.is_set() or self._done.done() else self._entry
        finally:
            self._over.set()  # the engine ends, and its files go, beside the next steps

    def _progress(self) -> str:
        return self._console.progress()

    def close(self) -> None:
        """End what is being built, and the engine; further calls do nothing."""
        self._over.set()
        if not self._built.is_set():
            self._run.halt.refusal = DeployError("not built: the run has ended")
            end_local()
        self._pool.shutdown()
        self._ending.close()
