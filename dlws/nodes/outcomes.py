"""What came of an action on many nodes, in words: failures, those not tried, the line to retry."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from dlws.core import nodeset
from dlws.core.errors import DeployError, SomeNodesFailed, UsageError
from dlws.runs import lock

if TYPE_CHECKING:
    from dlws.nodes.node import Node
    from dlws.runs.options import Options

T = TypeVar("T")


class NotTried(DeployError):
    """A node was not asked for anything, since too many others had failed."""


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """What came of an action on one node: a value, or an error (NotTried: it was not begun)."""

    node: Node
    value: T | None = None
    error: DeployError | None = None

    @property
    def skipped(self) -> bool:
        return isinstance(self.error, NotTried)

    def record(self, title: str) -> dict[str, str]:
        """The fields of this outcome's record in the journal."""
        told = {"node": self.node.name, "title": title}
        if not self.error:
            return {"kind": "finished", **told}
        kind = "skipped" if self.skipped else "failed"
        return {"kind": kind, **told, "why": self.error.message}


def summary(outcomes: Iterable[Outcome[Any]], before: str = "") -> list[str]:
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
        lines.append(f"{before}{nodeset.count(names)}: {nodeset.fold(names)}: {message}")
        if cure:
            lines.append(f"  cure: {cure}")
    return lines


def raise_failures(outcomes: Sequence[Outcome[Any]], options: Options) -> None:
    """Raise what the failures of a run amount to, with the line that retries just those."""
    failed = [outcome for outcome in outcomes if outcome.error and not outcome.skipped]
    skipped = [outcome for outcome in outcomes if outcome.skipped]
    wrong = [outcome for outcome in outcomes if outcome.error]
    if not wrong:
        return
    lines = [f"failed on {len(failed)} of {nodeset.count(outcomes)}"]
    lines += [f"  {line}" for line in summary(failed)]
    lines += [f"  {line}" for line in summary(skipped, "not tried: ")]
    kind = DeployError if len(wrong) == len(outcomes) else SomeNodesFailed
    if all(isinstance(outcome.error, UsageError) for outcome in outcomes):
        kind = UsageError
    raise kind("\n".join(lines), again(options, [outcome.node.name for outcome in wrong]))


def again(options: Options, failed: Sequence[str]) -> str:
    """How to bring in the nodes that failed; a plan that was applied is carried on or made anew."""
    if options.applied_plan and options.command in lock.SHARED:
        return f"plan anew for those: {options.again('plan', nodes=failed)}"
    if options.applied_plan:
        return f"carry on with the plan: {options.line('resume')}"
    return f"retry just those: {options.again(nodes=failed)}"
