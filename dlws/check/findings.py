"""What a rule finds, and what follows from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Level = Literal["failure", "warning", "unknown"]
LEVELS: tuple[Level, ...] = ("failure", "warning", "unknown")


@dataclass(frozen=True)
class Finding:
    """One thing about one node: `check` is the rule that found it, `cure` the next thing to do.

    A failure would end the installation or break the cluster, a warning would not; unknown is what
    cannot be seen from where the node is.
    """

    level: Level
    node: str
    what: str
    cure: str
    check: str = ""


def failures(findings: Iterable[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.level == "failure"]
