"""Differences for people (a line each, as compilers write them), programs (JSON) and CI (JUnit)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from dlws.config.problems import dotted, plain
from dlws.core.nodeset import fold

if TYPE_CHECKING:
    from dlws.config.reading.sources import Sources
    from dlws.verify.things import Difference, Expectation, Origin


@dataclass(frozen=True)
class Finding:
    """A difference on a node, and the line of the configuration that it stems from."""

    node: str
    kind: str
    what: str
    words: str
    place: str
    key: str
    fix: str = ""
    cure: str = ""
    by: tuple[str, str] = ("", "")

    def lines(self, nodes: Sequence[str]) -> list[str]:
        """The finding as these nodes have it, and its cure."""
        words = " ".join(filter(None, (self.kind, self.what, self.words)))
        head = plain(f"{self.place}: {fold(nodes)}: {words} ({self.key})")
        return [head, f"  cure: {plain(self.cure)}"] if self.cure else [head]

    def __str__(self) -> str:
        return self.lines([self.node])[0]


@dataclass(frozen=True)
class Verdict:
    """What came of verifying a node: how many things were looked at, or why that failed."""

    node: str
    managed: tuple[tuple[str, str], ...] = ()
    findings: tuple[Finding, ...] = ()
    error: str = ""


def verdict(
    node: str, wanted: Sequence[Expectation], found: Sequence[Difference], sources: Sources
) -> Verdict:
    things = tuple((thing.kind, thing.what) for thing in wanted)
    return Verdict(node, things, tuple(_finding(node, item, sources) for item in found))


def _finding(node: str, item: Difference, sources: Sources) -> Finding:
    place, key = origin(item.origin, sources)
    words = (item.kind, item.what, item.words)
    return Finding(node, *words, place, key, item.fix, item.cure, item.by)


def origin(keys: Origin, sources: Sources) -> tuple[str, str]:
    """FILE:LINE:COLUMN and name of the first of the keys that is written; else of the last."""
    key = next((key for key in keys if sources.is_written(key)), keys[-1])
    document, spot = sources.locate(key, key=True)
    return f"{document.file}:{spot.line}:{spot.column}", dotted(sources.as_written(key))


def text(verdicts: Sequence[Verdict]) -> str:
    """The differences, equal ones of several nodes together, and a summary."""
    findings: dict[Finding, list[str]] = {}
    errors: dict[str, list[str]] = {}
    for verdict in verdicts:
        for finding in verdict.findings:
            findings.setdefault(replace(finding, node=""), []).append(verdict.node)
        if verdict.error:
            errors.setdefault(verdict.error, []).append(verdict.node)
    lines = [line for finding, nodes in findings.items() for line in finding.lines(nodes)]
    lines += [f"{fold(nodes)}: not verified: {plain(error)}" for error, nodes in errors.items()]
    return "\n".join([*lines, summary(verdicts)])


def summary(verdicts: Sequence[Verdict]) -> str:
    """`2 differences on 1 of 3 nodes; 120 things were looked at`"""
    number = sum(len(verdict.findings) for verdict in verdicts)
    touched = sum(bool(verdict.findings) for verdict in verdicts)
    looked = sum(len(verdict.managed) for verdict in verdicts)
    nodes = f"{len(verdicts)} node{'' if len(verdicts) == 1 else 's'}"
    head = f"{number} difference{'' if number == 1 else 's'} on {touched} of {nodes}"
    failed = sum(bool(verdict.error) for verdict in verdicts)
    tail = f"; {failed} could not be verified" if failed else ""
    return f"{head if number else f'no differences on {nodes}'}; {looked} checks{tail}"


def as_json(verdicts: Sequence[Verdict], fixed: Sequence[str] = ()) -> str:
    nodes = [
        {
            "node": verdict.node,
            "checks": len(verdict.managed),
            "error": verdict.error,
            "differences": [asdict(finding) for finding in verdict.findings],
        }
        for verdict in verdicts
    ]
    data = {"clean": clean(verdicts), "fixes": list(fixed), "nodes": nodes}
    return json.dumps(data, indent=2, ensure_ascii=False)


def junit(verdicts: Sequence[Verdict]) -> str:
    """A suite for each node; a case for each thing looked after, and for each difference."""
    root = ElementTree.Element("testsuites", name="dlws verify")
    for verdict in verdicts:
        _suite(root, verdict)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True)


def _suite(root: ElementTree.Element, verdict: Verdict) -> None:
    failing = {finding.by for finding in verdict.findings}
    passing = [thing for thing in verdict.managed if thing not in failing and not verdict.error]
    counts = {
        "tests": str(len(passing) + len(verdict.findings) + bool(verdict.error)),
        "failures": str(len(verdict.findings)),
        "errors": str(int(bool(verdict.error))),
    }
    suite = ElementTree.SubElement(root, "testsuite", {"name": verdict.node, **counts})
    for kind, what in passing:
        _case(suite, verdict.node, kind, what)
    for finding in verdict.findings:
        case = _case(suite, verdict.node, finding.kind, finding.what)
        failure = ElementTree.SubElement(case, "failure", message=plain(finding.words))
        failure.text = str(finding)
    if verdict.error:
        case = _case(suite, verdict.node, "node", "answers")
        ElementTree.SubElement(case, "error", message=plain(verdict.error))


def _case(suite: ElementTree.Element, node: str, kind: str, what: str) -> ElementTree.Element:
    names = {"classname": f"{node}.{kind}", "name": plain(what)}
    return ElementTree.SubElement(suite, "testcase", names)


def clean(verdicts: Sequence[Verdict]) -> bool:
    return not any(verdict.findings or verdict.error for verdict in verdicts)
