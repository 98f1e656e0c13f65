"""The same on many nodes, many at once: which node comes next, and which is not begun any more."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Set
from typing import Generic, TypeVar

import click

from dlws.core import nodeset
from dlws.core.errors import DeployError, EndOfPlan, NotUnderstood, ReaderGone, Refused
from dlws.core.ownership import in_words
from dlws.core.text import since
from dlws.nodes.node import Node
from dlws.nodes.outcomes import NotTried, Outcome
from dlws.runs.limits import MaxFailures, may_begin

T = TypeVar("T")

QUORUM = NotTried("one more failure could cost etcd its majority", "mend those that failed first")


class FailureBudget:
    """The nodes that changes were asked of in this run, and those on which they failed."""

    def __init__(self, limit: MaxFailures | None = None) -> None:
        self.limit = limit
        self.asked, self.failed = set[str](), set[str]()

    @property
    def exceeded(self) -> bool:
        return self.limit is not None and self.limit.exceeded(len(self.failed), len(self.asked))


class WorkQueue(Generic[T]):
    """One action's nodes: threads take them in turn with `work` until none is left to begin.

    `protected` are the infra nodes with etcd: no more of them are at work at a time than etcd can
    lose. Without any, all nodes are equal. `ended` gets the name of each node that is through.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        action: Callable[[Node], T],
        budget: FailureBudget,
        protected: Set[str] = frozenset(),
        ended: Callable[[str], None] = lambda name: None,
    ) -> None:
        self._nodes, self._action, self._budget, self._protected = nodes, action, budget, protected
        self._ended = ended
        self._infra = deque(node for node in nodes if node.name in protected)
        self._others = deque(node for node in nodes if node.name not in protected)
        self._running: dict[str, float] = {}
        """The nodes at work, and since when."""
        self._outcomes: dict[str, Outcome[T]] = {}
        self._stopped = False
        self._moved = threading.Condition()
        self._start = time.monotonic()
        budget.asked |= {node.name for node in nodes}

    def work(self) -> None:
        """Do the action on one node after the other, as they may be begun."""
        while node := self._next():
            self._end(node, _attempt(self._action, node))

    def stop(self) -> None:
        """Begin no further node."""
        with self._moved:
            self._stopped = True
            self._moved.notify_all()

    def outcomes(self) -> list[Outcome[T]]:
        """What came of it on each node, in their order, once all threads are through."""
        return [self._outcomes[node.name] for node in self._nodes]

    def progress(self, title: str) -> str:
        """How far it is: `mount: 61/100 done, 2 min, at work: w[70-99] (w70 for 1 min)`."""
        with self._moved:
            done, running = len(self._outcomes), dict(self._running)
        parts = [f"{done}/{len(self._nodes)} done", since(self._start)]
        if running:
            oldest = min(running, key=running.__getitem__)
            longest = f" ({oldest} for {since(running[oldest])})" if done else ""
            parts.append(f"at work: {nodeset.fold(running)}{longest}")
        if left := len(self._nodes) - done - len(running):
            parts.append(f"{left} not begun")
        return f"{title or 'running'}: {', '.join(parts)}"

    def _next(self) -> Node | None:
        """The next node, waited for where an infra node has to end first; None: there is none."""
        with self._moved:
            while not self._stopped:
                self._give_up()
                if node := self._startable():
                    self._running[node.name] = time.monotonic()
                    return node
                if not self._infra:
                    break
                self._moved.wait()
            return None

    def _startable(self) -> Node | None:
        for node in self._infra:
            if self._may(node):
                self._infra.remove(node)
                return node
        return self._others.popleft() if self._others else None

    def _may(self, node: Node) -> bool | None:
        failed, running = (
            self._budget.failed & self._protected,
            self._running.keys() & self._protected,
        )
        return may_begin(node.name, len(self._protected), failed, running)

    def _give_up(self) -> None:
        """Take out the nodes that are not to be begun any more."""
        if self._budget.exceeded:
            many = f"more nodes failed than --max-failures {self._budget.limit} allows"
            self._skip([*self._infra, *self._others], NotTried(many))
        self._skip([node for node in self._infra if self._may(node) is None], QUORUM)

    def _skip(self, nodes: Sequence[Node], error: NotTried) -> None:
        for node in nodes:
            self._outcomes[node.name] = Outcome(node, error=error)
            (self._infra if node in self._infra else self._others).remove(node)

    def _end(self, node: Node, outcome: Outcome[T]) -> None:
        self._ended(node.name)
        with self._moved:
            self._running.pop(node.name, None)
            self._outcomes[node.name] = outcome
            if outcome.error:
                self._budget.failed.add(node.name)
            self._moved.notify_all()


def _attempt(action: Callable[[Node], T], node: Node) -> Outcome[T]:
    """What came of it. Whatever goes wrong is this node's failure: it ends no other one's work."""
    try:
        return Outcome(node, value=action(node))
    except (Refused, *_OF_THE_RUN):
        raise
    except DeployError as error:
        return Outcome(node, error=error)
    except OSError as error:
        return Outcome(node, error=in_words(error))
    except Exception as error:
        return Outcome(node, error=NotUnderstood(error))


_OF_THE_RUN = (EndOfPlan, ReaderGone, BrokenPipeError, click.Abort)
"""What ends the whole run: no node has a part in it. Refused does, too."""
