"""Put differences right by running again the function that owns the thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.verify.kinds import KINDS

if TYPE_CHECKING:
    from dlws.session import Session
    from dlws.verify.report import Finding

FIXES = {name: fix for kind in KINDS for name, fix in kind.fixes.items()}


def plan(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """The fixes to run, in order, and the nodes that each is for."""
    found: dict[str, dict[str, None]] = {}
    for finding in findings:
        if finding.fix:
            found.setdefault(finding.fix, {})[finding.node] = None
    order = sorted(found, key=lambda name: FIXES[name.partition(":")[0]].order)
    return {name: list(found[name]) for name in order}


def apply(session: Session, name: str, nodes: Sequence[str]) -> None:
    """Run one fix on the nodes that need it."""
    kind, _, what = name.partition(":")
    FIXES[kind].run(session, [node for node in session.cluster.nodes if node.name in nodes], what)
