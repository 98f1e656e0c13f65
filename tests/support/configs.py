"""What the tests of the configuration share."""

from __future__ import annotations

import re
from pathlib import Path

from dlws.config.problems import Problem
from dlws.config.reading.load import Inspection, examine
from dlws.config.reading.source import parse
from tests.support import ROOT

DATA = ROOT / "tests/config/data"
MACHINES = "machines: {m1: {role: infra}}\n"


def look(text: str | bytes, below: str = "", directory: Path = Path()) -> Inspection:
    """Examine a config.yaml, and a cluster.yaml below it."""
    content = text.encode() if isinstance(text, str) else text
    documents = [parse(content, "config.yaml")]
    if below:
        documents.append(parse(below.encode(), "cluster.yaml"))
    return examine(documents, directory)


def minimal(text: str) -> str:
    """A config that has nothing wrong but what `text` says."""
    name = "" if re.search("^cluster_name:", text, re.MULTILINE) else "cluster_name: c1\n"
    machines = "" if "machines:" in text else MACHINES
    return text + "\n" + name + machines


def assert_problem(text: str, message: str, line: int = 1, level: str = "error") -> Problem:
    """The text has exactly one problem, whose words and line are these."""
    problems = look(minimal(text)).problems
    found = [p for p in problems if message in p.message]
    shown = "\n".join(problem.render() for problem in problems)
    assert len(found) == 1, f"wanted {message!r}, got:\n{shown}"
    assert (found[0].level, found[0].line) == (level, line), shown
    assert found[0].cure, shown
    assert len(problems) == 1, shown
    return found[0]
