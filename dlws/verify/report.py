"""Differences for people (a line each, as compilers write them), programs (JSON) and CI (JUnit)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from dlws.config.problems import dotted, plain

if TYPE_CHECKING:
    from dlws.config.reading.sources import Sources
    from dlws.verify.compare import Difference
    from dlws.verify.expected import Expectation, Origin


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

    def __str__(self) -> str:
        words = " ".join(filter(None, (self.kind, self.what, self.words)))
        return plain(f"{self.place}: {self.node}: {words} ({self.key})")


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
    lines = []
    for verdict in verdicts:
        for finding in verdict.findings:
            lines.append(str(finding))
            if finding.cure:
                lines.append(f"  cure: {plain(finding.cure)}")
        if verdict.error:
            lines.append(f"{verdict.node}: not verified: {plain(verdict.error)}")
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
