"""Where every change asks whether it may be made: dry runs note it, applied plans must hold it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dlws.core.errors import EndOfPlan, Refused
from dlws.core.program import PROGRAM
from dlws.runs.plan import Action, Key, Plan, Unknown, key_of, masked, under

if TYPE_CHECKING:
    from dlws.runs.console import Console


class Gate:
    """Lets changes through, unless this is a dry run; with an `applied_plan`, only those in it."""

    def __init__(
        self,
        console: Console,
        dry_run: bool = False,
        applied_plan: Plan | None = None,
        diff: bool = False,
    ) -> None:
        self.dry_run, self.applied_plan, self.diff = dry_run, applied_plan, diff
        self._key = key_of(applied_plan) if applied_plan else b""
        self.actions: list[Action] = []
        """What a dry run would have changed."""
        self.unknown: list[Unknown] = []
        self._console, self._lock, self._written = console, threading.Lock(), set[Key]()
        self._left = (
            Counter(action.key for action in applied_plan.actions) if applied_plan else Counter()
        )

    def admit(self, *actions: Action) -> bool:
        """Whether to make these changes: no in a dry run; raises Refused where a plan lacks one.

        True where there are none.
        """
        for action in actions:
            if self.dry_run:
                self._keep(action)
            else:
                self._claim(action)
                self._say(action, ())
        return not (self.dry_run and actions)

    def _keep(self, action: Action) -> None:
        (action,) = masked([action], self._console.redactor.text)
        with self._lock:
            if action.key in self._written:
                return  # a file that is written once is there for whoever wants it after that
            if action.kind == "write":
                self._written.add(action.key)
            self.actions.append(action)
        self._say(action, [action.text()])

    def _say(self, action: Action, head: Sequence[str]) -> None:
        """Show an action's details below its words, together: other nodes may have the same."""
        lines = [*head, *(f"  {line}" for line in action.details)]
        if lines:
            self._console.say("\n".join(lines), action.node)

    def announce(self, actions: Iterable[Action], until: str) -> None:
        """In a dry run: note what an earlier change leads to, some of it unknown till then."""
        for action in actions:
            self._keep(replace(action, until="" if action.digest else until, maybe=True))

    def end_plan_here(self, what: str, until: str) -> None:
        """Raise EndOfPlan: a dry run cannot plan `what`, or the applied plan ends with it."""
        unknown = Unknown(what, until)
        if self.dry_run:
            self.note(unknown)
            raise EndOfPlan(unknown.text())
        if self.applied_plan and unknown in self.applied_plan.unknown:
            raise EndOfPlan(unknown.text())

    def note(self, unknown: Unknown) -> None:
        """Keep what a dry run could not find out."""
        self.unknown.append(unknown)
        self._console.say(unknown.text())

    def _claim(self, action: Action) -> None:
        """Take a change out of the plan that is being applied."""
        if self.applied_plan is None:
            return
        found: Key | None
        action = under(self._key, action)
        with self._lock:
            found = next((k for k in (action.key, action.open_key) if self._left[k]), None)
            if found:
                self._left[found] -= 1
        if not found:
            raise Refused(
                f"{action.node or 'here'}: not in the plan: {action.words}",
                f"the changes planned up to here are done; plan anew: {PROGRAM} plan COMMAND...",
            )
