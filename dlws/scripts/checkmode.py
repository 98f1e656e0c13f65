"""The check mode of scripts: a node is asked what they would change, and nothing is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.nodes.questions import answers, packed, would_change
from dlws.runs.plan import NOTHING
from dlws.scripts.script import environment
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.core.connection import Result
    from dlws.nodes.node import Node
    from dlws.scripts.script import Script


def differences(node: Node, config: Config, found: Script, args: tuple[str, ...]) -> Sequence[str]:
    """A line for each thing that differs; one read, during which the disks are read-only."""
    return would_change(asked(node, config, found, args)) or NOTHING


def asked(node: Node, config: Config, found: Script, args: tuple[str, ...]) -> Result:
    """What a script says in check mode; one read."""
    line = checking(config, node, found.name, *args)
    question = {"0.sh": (line.encode(), 0o600), "0.in": (b"", 0o600)}
    archive = packed(question | found.contents)
    return dict(answers(node, archive, [found.name]))[found.name]


def checking(config: Config, node: Node, name: str, *args: str) -> str:
    """The line by which a script says what it would change, and changes nothing."""
    facts = environment(config, node)
    words = [f"{key}={value}" for key, value in facts.items()]
    # By its interpreter: memory may be mounted such that nothing in it can be executed.
    return sh("env", "DLWS_CHECK=1", *words, "bash", f"./{name}", *args)
