"""What a script would change on a node, by its own word: scripts with a check mode can be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlws.plan import NOTHING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlws.config import Config
    from dlws.node import Node
    from dlws.scripts import Script

_DIFFERS = 5
"""Exit status of a check that could not go on, since something has to be changed first."""


def differences(node: Node, config: Config, found: Script, args: tuple[str, ...]) -> Sequence[str]:
    """A line for each thing that differs; one read, during which the disks are read-only."""
    from dlws.scripts import contents
    from dlws.verify.collect import answers, checking, packed
    from dlws.verify.compare import said

    line = checking(config, node, found.name, *args)
    question = {"0.sh": (line.encode(), 0o600), "0.in": (b"", 0o600)}
    archive = packed(question | contents(found, config, node))
    result = answers(node, archive, [found.name])[found.name]
    lines = [f"{kind} {what}: {words}" for kind, what, words in said(result)]
    if result.code not in (0, _DIFFERS):
        why = result.complaint.splitlines()[-1:] or [f"exit {result.code}"]
        return [*lines, f"what else it would change is not known: {why[0]}"]
    return lines or NOTHING
