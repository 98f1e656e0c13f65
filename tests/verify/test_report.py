"""Differences as lines, JSON and JUnit."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

from dlws.verify import fix
from dlws.verify.report import Finding, Verdict, as_json, clean, junit, summary, text

SYSCTL = Finding(
    "w1",
    "sysctl",
    "net.x",
    "is 0, not 1",
    "config.yaml:12:5",
    "machines.w1.role",
    "script:prepare_ubuntu.sh",
    by=("script", "prepare_ubuntu.sh"),
)
CERTIFICATE = Finding(
    "w1", "certificate", "/a b.crt", "ended", "config.yaml:3:1", "kubernetes", "", "renew it"
)
THINGS = (("hosts", "/etc/hosts"), ("script", "prepare_ubuntu.sh"))
GOOD = Verdict("w0", THINGS)
BAD = Verdict("w1", THINGS, (SYSCTL, CERTIFICATE))
SILENT = Verdict("w2", error="no answer")


def test_lines_as_compilers_write_them() -> None:
    assert text([GOOD, BAD, SILENT]).splitlines() == [
        "config.yaml:12:5: w1: sysctl net.x is 0, not 1 (machines.w1.role)",
        "config.yaml:3:1: w1: certificate /a b.crt ended (kubernetes)",
        "  cure: renew it",
        "w2: not verified: no answer",
        "2 differences on 1 of 3 nodes; 4 checks; 1 could not be verified",
    ]


def test_a_clean_summary() -> None:
    assert summary([GOOD]) == "no differences on 1 node; 2 checks"
    assert clean([GOOD]) and not clean([GOOD, BAD]) and not clean([SILENT])


def test_json_says_the_same() -> None:
    data = json.loads(as_json([GOOD, BAD], ["hosts on w1"]))
    assert data["clean"] is False and data["fixes"] == ["hosts on w1"]
    assert data["nodes"][1]["differences"][0]["place"] == "config.yaml:12:5"
    assert data["nodes"][0] == {"node": "w0", "checks": 2, "error": "", "differences": []}


def test_junit_counts_and_names() -> None:
    root = ElementTree.fromstring(junit([GOOD, BAD, SILENT]))
    counts = [(s.get("tests"), s.get("failures"), s.get("errors")) for s in root]
    assert counts == [("2", "0", "0"), ("3", "2", "0"), ("1", "0", "1")]
    names = [(c.get("classname"), c.get("name"), len(c)) for c in root[1]]
    assert names == [
        ("w1.hosts", "/etc/hosts", 0),
        ("w1.sysctl", "net.x", 1),
        ("w1.certificate", "/a b.crt", 1),
    ]


def test_hostile_words_break_no_output() -> None:
    bad = replace(SYSCTL, what='a"<b>&\x1b[2J\x00', words="é ' $(x)\n]]>")
    verdict = Verdict("w1", (), (bad,))
    assert "\x1b" not in text([verdict])
    case = ElementTree.fromstring(junit([verdict]))[0][0]
    assert (case.get("name") or "").startswith('a"<b>&')
    assert json.loads(as_json([verdict]))["nodes"][0]["differences"][0]["what"] == bad.what


def test_fixes_run_in_the_order_of_an_installation() -> None:
    def one(node: str, name: str) -> Finding:
        return replace(SYSCTL, node=node, fix=name)

    first = [one("a", "labels"), one("a", "hosts"), one("a", "")]
    plan = fix.plan([*first, one("b", "unit:x"), one("b", "script:p"), one("b", "hosts")])
    assert list(plan) == ["hosts", "script:p", "unit:x", "labels"]
    assert plan["hosts"] == ["a", "b"] and plan["labels"] == ["a"]


def test_fixes_have_an_order() -> None:
    assert len({one.order for one in fix.FIXES.values()}) == len(fix.FIXES)
