"""The nodes of a configuration: choose some, and do the same on each, many at once."""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dlws import folding
from dlws.errors import DeployError, Refused, SomeNodesFailed, UsageError
from dlws.gate import Gate
from dlws.node import Node
from dlws.output import Console, since

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.journal import Keeper
    from dlws.session import Options

T = TypeVar("T")

_ALIASES = {"infrastructure": ("infra", "master")}
WITH_VALUE = ("--nodes", "--parallel", "--dir", "--archtype")
"""The global options that the next word belongs to."""
ROLE_WORDS = {
    *("infrastructure", "infra", "master", "worker"),
    *("nfs", "mysqlserver", "elasticsearch", "samba"),
}


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What came of an action on one node: a value, or an error."""

    node: Node
    value: T | None = None
    error: DeployError | None = None


class Cluster:
    """Config and nodes. Nothing connects until a node is asked for something."""

    def __init__(
        self,
        config: Config,
        nodes: Sequence[Node],
        options: Options,
        console: Console,
        keeper: Keeper | None = None,
        gate: Gate | None = None,
        seed: str = "",
    ) -> None:
        self.config, self.options, self.console = config, options, console
        self.gate, self.seed = gate or Gate(console, options.dry_run), seed
        self.nodes = list(nodes)
        self._keeper = keeper
        self.directory: Path = options.directory
        self.deploy = self.directory / "deploy"
        console.align([node.name for node in nodes])

    @cached_property
    def infra(self) -> list[Node]:
        return self.with_role("infrastructure")

    @cached_property
    def workers(self) -> list[Node]:
        return self.with_role("worker")

    @property
    def first(self) -> Node:
        """The first infra node: where what is done once is done."""
        if not self.infra:
            raise UsageError("no machine has the role infrastructure", "give one in config.yaml")
        return self.infra[0]

    def with_role(self, role: str) -> list[Node]:
        return [node for node in self.nodes if role in node.roles]

    def select(self, patterns: Iterable[str] = ()) -> list[Node]:
        """The nodes that fit any pattern (all of them where none is given) and --nodes.

        A pattern is a name, role, wildcard, folded name (`gpu[01-12]`), re:REGEX, or several
        with commas. One that fits no node is a UsageError.
        """
        chosen = self._fitting(patterns)
        limit = self._fitting(self.options.nodes)
        if self.options.retry_failed:
            failed = self._failed_before()
            limit = [node for node in limit if node.name in failed]
        return [node for node in chosen if node in limit]

    def _failed_before(self) -> set[str]:
        """The nodes that did not do all that the last run asked of them."""
        from dlws import journal

        last = journal.read(journal.find(self.deploy))
        failed = {name for name, state in last.nodes.items() if state != "ok"}
        if not failed:
            raise UsageError(
                f"no node failed in the last run, {last.id}", "see: deploy.py runs list"
            )
        return failed

    def knows(self, word: str) -> bool:
        """Whether a word is a role that config.yaml may use, or a node's name."""
        return word in ROLE_WORDS or any(word in (node.name, node.fqdn) for node in self.nodes)

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
        single = [p for words in patterns for p in folding.split(words)]
        if not single:
            return self.nodes
        found = {pattern: [n for n in self.nodes if _fits(pattern, n)] for pattern in single}
        for pattern, nodes in found.items():
            if not nodes:
                raise UsageError(
                    f"no node has the name or role {pattern!r}",
                    f"there are: {folding.fold(n.name for n in self.nodes) or 'no nodes'}",
                )
        wanted = {id(node) for nodes in found.values() for node in nodes}
        return [node for node in self.nodes if id(node) in wanted]

    def each(
        self, nodes: Sequence[Node], action: Callable[[Node], T], title: str = ""
    ) -> list[Outcome[T]]:
        """Do `action` on every node, `parallel` at a time. All run; then, if any failed, one error
        names them all: SomeNodesFailed (3), or DeployError (1) where none is left."""
        outcomes = self.gather(nodes, action, title)
        raise_failures(outcomes, self.options)
        return outcomes

    def gather(
        self, nodes: Sequence[Node], action: Callable[[Node], T], title: str = ""
    ) -> list[Outcome[T]]:
        """Like each(), but failures stay in the outcomes."""
        if not nodes:
            return []
        pool = ThreadPoolExecutor(min(self.options.parallel, len(nodes)))
        start = time.monotonic()
        futures = {pool.submit(_attempt, action, node): node for node in nodes}
        try:
            with self.console.status(lambda: _progress(title, futures, start)):
                # An exception is no node's failure (those are outcomes): nothing else counts then.
                for future in wait(futures, return_when=FIRST_EXCEPTION).done:
                    future.result()
        except BaseException:  # interrupted: closing the connections ends what still runs
            for future in futures:
                future.cancel()
            self.close()
            raise
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
        outcomes = [future.result() for future in futures]
        if self._keeper:
            self._keeper.note_outcomes(title, outcomes)
        return outcomes

    def close(self) -> None:
        for node in self.nodes:
            node.close()


def _fits(pattern: str, node: Node) -> bool:
    roles = [word for role in node.roles for word in (role, *_ALIASES.get(role, ()))]
    return folding.matches(pattern, [node.name, node.fqdn, *roles])


def _attempt(action: Callable[[Node], T], node: Node) -> Outcome[T]:
    try:
        return Outcome(node, value=action(node))
    except Refused:
        raise  # not of this node: the whole run is refused
    except DeployError as error:
        return Outcome(node, error=error)


def _progress(title: str, futures: dict[Future[Any], Node], start: float) -> str:
    waiting = [node.name for future, node in futures.items() if not future.done()]
    done = len(futures) - len(waiting)
    return (
        f"{title or 'running'}: {done}/{len(futures)} done, {since(start)}, {folding.fold(waiting)}"
    )


def summary(outcomes: Iterable[Outcome[Any]]) -> list[str]:
    """Failures, equal ones together: `2 nodes: gpu[01-02]: no answer` and its cure below."""
    groups: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        if outcome.error:
            # Equal causes on different machines differ in the address, which the name replaces.
            address = re.compile(rf"(?<![\w.-]){re.escape(outcome.node.address)}(?![\w-]|\.\w)")
            message = address.sub("it", outcome.error.message)
            cure = address.sub("ADDRESS", outcome.error.cure)
            groups.setdefault((message, cure), []).append(outcome.node.name)
    lines = []
    for (message, cure), names in groups.items():
        lines.append(f"{count(names)}: {folding.fold(names)}: {message}")
        if cure:
            lines.append(f"  cure: {cure}")
    return lines


def count(names: Sequence[object]) -> str:
    return f"{len(names)} node{'' if len(names) == 1 else 's'}"


def raise_failures(outcomes: Sequence[Outcome[Any]], options: Options) -> None:
    """Raise what the failures of a run amount to, with the line that retries just those."""
    failed = [outcome.node.name for outcome in outcomes if outcome.error]
    if not failed:
        return
    head = f"failed on {len(failed)} of {count(outcomes)}"
    message = "\n".join([head, *(f"  {line}" for line in summary(outcomes))])
    kind = DeployError if len(failed) == len(outcomes) else SomeNodesFailed
    if all(isinstance(outcome.error, UsageError) for outcome in outcomes):
        kind = UsageError
    raise kind(message, f"retry just those: {retry_line(options.argv, failed)}")


def retry_line(argv: Sequence[str], failed: Sequence[str]) -> str:
    """The same command line (its global options first), limited to the failed nodes."""
    program, words, rest = argv[0], list(argv[1:]), list[str]()
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--nodes":
            words = words[1:]
        elif not word.startswith("--nodes="):
            rest.append(word)
            if word in WITH_VALUE and words:
                rest.append(words.pop(0))
    return shlex.join([program, "--nodes", folding.fold(failed), *rest, *words])
