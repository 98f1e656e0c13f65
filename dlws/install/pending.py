"""What a plan of several steps can know, before any of their changes is made."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.runs.plan import HERE, Unknown

if TYPE_CHECKING:
    from dlws.install.step import Step
    from dlws.session import Session


class PendingSteps:
    """Follows a dry run, or a plan that is applied, from step to step."""

    def __init__(self, session: Session) -> None:
        self._session, self._gate = session, session.gate
        self._pending: dict[str, set[str]] = {}
        """For each step the nodes that it would change, or does not know; HERE: all of them."""
        self.end: Unknown | None = None
        """What the plan that is applied leaves to the next one."""

    def knows(self, step: Step) -> bool:
        """Whether a step can be done now. Where it can for some nodes only, it leaves the rest out.

        Steps that do not build on an unknown one are known: an applied plan goes on with them.
        """
        self._session.run.exclude(())
        unknown = self._told(step) if self._gate.applied_plan else self._unknown(step)
        if unknown is None:
            return True
        self._session.run.exclude(unknown.nodes)
        return bool(unknown.nodes)

    def _told(self, step: Step) -> Unknown | None:
        """What the plan that is applied did not know of a step, or of what a reading step sees."""
        assert self._gate.applied_plan
        seen = {step.name, *(step.depends_on if step.read_only else ())}
        found = next((u for u in self._gate.applied_plan.unknown if u.what in seen), None)
        self.end = self.end or found
        return replace(found, nodes=()) if found and step.read_only else found

    def _unknown(self, step: Step) -> Unknown | None:
        """What a dry run does not know of a step, after the changes that it has met with."""
        waits = [name for name in step.depends_on if name in self._pending]
        if not waits:
            return None
        changing = set[str]().union(*(self._pending[name] for name in waits))
        apart = () if step.read_only else self._apart(step, changing)
        unknown = Unknown(step.name, f"{waits[-1]} is done", apart)
        if not step.read_only:
            self._pending[step.name] = set(unknown.nodes or {HERE})
            self._gate.note(unknown)
        return unknown

    def _apart(self, step: Step, changing: set[str]) -> tuple[str, ...]:
        """The changing nodes, where a step is known for the others without them; else none."""
        if HERE in changing:
            return ()
        cluster = self._session.cluster
        there = [node.name for node in cluster.select()]
        needed = set() if step.per_node else {node.name for node in cluster.infra}
        if needed & changing or changing >= set(there):
            return ()
        return tuple(name for name in there if name in changing)

    @contextmanager
    def watching(self, step: Step) -> Iterator[None]:
        """Take note of the nodes on which the step in this block has changes to make."""
        before = len(self._gate.actions)
        try:
            yield
        finally:
            made = (action for action in self._gate.actions[before:] if not action.idle)
            if changing := {action.node for action in made}:
                self._pending.setdefault(step.name, set()).update(changing)
