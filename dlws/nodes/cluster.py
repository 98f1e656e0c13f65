"""The nodes of a configuration: choose some, and do the same on each, many at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from dlws.config.model.roles import ROLE_WORDS, words_for
from dlws.core import nodeset
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.nodes.firstcontact import introduce
from dlws.nodes.node import Node
from dlws.nodes.outcomes import NotTried, Outcome, raise_failures
from dlws.nodes.parallel import FailureBudget, WorkQueue

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.runs.run import Run

T = TypeVar("T")


class Cluster:
    """Config and nodes. Nothing connects until a node is asked for something."""

    def __init__(self, config: Config, nodes: Sequence[Node], run: Run) -> None:
        self.config, self.nodes, self.run = config, list(nodes), run
        self.directory: Path = run.options.directory
        self.deploy = self.directory / "deploy"
        self.budget = FailureBudget(run.options.max_failures)
        self.quarantined: dict[str, Outcome[Any]] = {}
        """Nodes that failed and are left out for the rest of the run, and how they failed."""
        run.console.align([node.name for node in nodes])

    @cached_property
    def infra(self) -> list[Node]:
        return self.with_role("infrastructure")

    @cached_property
    def workers(self) -> list[Node]:
        return self.with_role("worker")

    @property
    def first(self) -> Node:
        """The first infra node: where what is done once is done."""
        self.require_infra()
        return self.infra[0]

    def require_infra(self) -> None:
        """Raise UsageError where no machine is an infra node."""
        if not self.infra:
            raise UsageError("no machine has the role infrastructure", "give one in config.yaml")

    def with_role(self, role: str) -> list[Node]:
        return [node for node in self.nodes if role in node.roles]

    def select(self, patterns: Iterable[str] = ()) -> list[Node]:
        """The nodes that fit any pattern (all of them where none is given) and --nodes.

        A pattern is a name, role, wildcard, node set (`gpu[01-12]`), re:REGEX, or several joined
        by set operations (`worker!gpu03`, `infra,nfs`). One that fits no node is a UsageError.
        """
        chosen = self._fitting(patterns)
        limit = self._fitting(self.run.options.nodes)
        if self.run.options.retry_failed:
            failed = self._failed_before()
            limit = [node for node in limit if node.name in failed]
        found = [node for node in chosen if node in limit]
        return list(filter(self._takes_part, found))

    def _takes_part(self, node: Node) -> bool:
        return node.name not in self.quarantined and node.name not in self.run.excluded

    def _failed_before(self) -> set[str]:
        """The nodes that did not do all that the last run asked of them."""
        from dlws.runs import journal

        last = journal.read(journal.find(self.deploy))
        failed = {name for name, state in last.nodes.items() if state != "ok"}
        if not failed:
            raise UsageError(
                f"no node failed in the last run, {last.id}", f"see: {PROGRAM} runs list"
            )
        return failed

    def knows(self, word: str) -> bool:
        """Whether a word is a role that config.yaml may use, or a node's name."""
        return word in ROLE_WORDS or any(
            word in (node.name, node.fqdn, *node.roles) for node in self.nodes
        )

    def pick(self, role: str, which: str) -> Node:
        """One node of a role: the one at an index (from 0), or of a name."""
        nodes = self.select([role])
        names = f"{role} has {', '.join(f'{i}: {n.name}' for i, n in enumerate(nodes))}"
        if which.isdecimal():
            if int(which) < len(nodes):
                return nodes[int(which)]
            raise UsageError(f"there is no {role} {which}", names)
        for node in nodes:
            if which in (node.name, node.fqdn):
                return node
        raise UsageError(f"there is no {role} named {which!r}", names)

    def _fitting(self, patterns: Iterable[str]) -> list[Node]:
        given = list(filter(None, patterns))
        if not given:
            return self.nodes
        wanted = set[int]().union(*(nodeset.evaluate(words, self._places) for words in given))
        return [node for place, node in enumerate(self.nodes) if place in wanted]

    def _places(self, pattern: str) -> set[int]:
        """Where the nodes of one pattern are; raises UsageError where there are none."""
        found = {place for place, node in enumerate(self.nodes) if _fits(pattern, node)}
        if not found:
            raise UsageError(
                f"no node has the name or role {pattern!r}",
                f"there are: {nodeset.fold(n.name for n in self.nodes) or 'no nodes'}",
            )
        return found

    def change_all(
        self,
        nodes: Sequence[Node],
        action: Callable[[Node], T],
        title: str = "",
        protect_quorum: bool = False,
    ) -> list[Outcome[T]]:
        """Change every node by `action`, `parallel` at a time; the outcomes of those that did it.

        All run, unless --max-failures says otherwise. `protect_quorum`: never touch more infra
        nodes at once than etcd can lose. Raises if a node failed.
        """
        if nodes:
            self.run.begin()  # what fails before its first change is on record, for --retry-failed
        outcomes = self.try_all(nodes, action, title, protect_quorum)
        self.raise_failures(outcomes)
        return [outcome for outcome in outcomes if not outcome.error]

    def try_all(
        self,
        nodes: Sequence[Node],
        action: Callable[[Node], T],
        title: str = "",
        protect_quorum: bool = False,
        logs_in: bool = True,
    ) -> list[Outcome[T]]:
        """Like change_all(), but failures stay in the outcomes."""
        if logs_in:
            self._introduce(nodes)
        spare = protect_quorum and not self.run.options.dry_run and self.made
        protected = {node.name for node in self.infra} if spare else set[str]()
        return self._fan_out(nodes, action, title, self.budget, protected)

    def read_all(
        self, nodes: Sequence[Node], action: Callable[[Node], T], title: str = ""
    ) -> list[Outcome[T]]:
        """Like try_all(), for what changes nothing: no limit applies."""
        self._introduce(nodes)
        # A share of --max-failures is of these, too.
        self.budget.asked |= {node.name for node in nodes}
        return self._fan_out(nodes, action, title, FailureBudget(), set())

    def _introduce(self, nodes: Sequence[Node]) -> None:
        """Ask about new host keys now: nobody can be asked for all of them from within a thread."""
        lock = self.infra[:1] if self.run.guarded else []
        introduce(list(filter(self._takes_part, [*nodes, *lock])))

    def _fan_out(
        self,
        nodes: Sequence[Node],
        action: Callable[[Node], T],
        title: str,
        budget: FailureBudget,
        protected: set[str],
    ) -> list[Outcome[T]]:
        chosen = list(filter(self._takes_part, nodes))
        if not chosen:
            return []
        queue = WorkQueue(chosen, action, budget, protected, self.run.console.ended)
        self._work_off(queue, [node.name for node in chosen], title)
        outcomes = queue.outcomes()
        for outcome in outcomes:
            self.run.note(**outcome.record(title))
        return outcomes

    def _work_off(self, queue: WorkQueue[T], names: Sequence[str], title: str) -> None:
        """Have threads work until the queue is empty; the console shows how far they are."""
        console, threads = self.run.console, min(self.run.options.parallel, len(names))
        pool = ThreadPoolExecutor(threads)
        try:
            # Before any of them works: what a node says until then would be shown by itself.
            with console.gathered(names), console.status(lambda: queue.progress(title)):
                futures = [pool.submit(queue.work) for _ in range(threads)]
                # An exception is no node's failure (those are outcomes): nothing else counts then.
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
        except BaseException:  # interrupted: closing the connections ends what still runs
            queue.stop()
            self.close()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def raise_failures(self, outcomes: Sequence[Outcome[Any]]) -> None:
        """Raise what failures amount to: SomeNodesFailed (3), DeployError (1) where none is left.

        A run that quarantines does so with failed nodes that are no infra nodes, and goes on
        without them.
        """
        wrong = [outcome for outcome in outcomes if outcome.error]
        if not (self.run.quarantines and self.can_do_without(wrong)):
            raise_failures(outcomes, self.run.options)
        for outcome in wrong:
            self.quarantine(outcome)

    def quarantine(self, outcome: Outcome[Any]) -> None:
        """Ask a node for nothing more in this run."""
        assert outcome.error
        self.quarantined[outcome.node.name] = outcome
        self.budget.failed.add(outcome.node.name)
        self.run.console.warn(f"{outcome.node.name} is quarantined: {outcome.error.message}")

    def can_do_without(self, wrong: Sequence[Outcome[Any]]) -> bool:
        """Whether the run can go on without these: infra nodes and one worker at least are left."""
        names = {outcome.node.name for outcome in wrong}
        infra = any(outcome.node in self.infra for outcome in wrong)
        # A UsageError means that config.yaml is wrong, NotTried that enough have failed.
        final = any(isinstance(outcome.error, NotTried | UsageError) for outcome in wrong)
        left = [n for n in self.select() if n.name not in names and n not in self.infra]
        return bool(left) and not (infra or final or self.budget.exceeded)

    @property
    def made(self) -> bool:
        """Whether there is a Kubernetes cluster already, as far as this directory knows."""
        return (self.deploy / "sshkey/admin.conf").exists()

    def close(self) -> None:
        for node in self.nodes:
            node.close()


def _fits(pattern: str, node: Node) -> bool:
    roles = [word for role in node.roles for word in (*words_for(role), "all")]
    return nodeset.matches(pattern, [node.name, node.fqdn, *roles])
