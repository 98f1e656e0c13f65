"""Reports of runs."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from dlws.runs import journal
from dlws.runs.records import records
from dlws.runs.report import page, timeline
from tests.support.deploy import Deploy

AWKWARD = "<script>alert(1)</script> & \"quotes\" 'and' ü"

RUN = journal.Run("id", ("./deploy.py",), "up", "/", "hash", "now", "then", "failed", {})


def at(second: float) -> str:
    return datetime.fromtimestamp(second, timezone.utc).isoformat()


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


def failed_run(deploy: Deploy) -> Path:
    script = deploy.directory / "job.sh"
    script.write_text(f"echo '{AWKWARD.replace(chr(39), '')}' >&2; [ $DLWS_NODE != w2 ]\n")
    deploy("runscriptonall", str(script), "<b>argument</b>", code=3)
    return journal.find(deploy.directory / "deploy")


def test_the_page_shows_every_node_and_escapes_what_they_said(deploy: Deploy) -> None:
    failed_run(deploy)
    page = deploy.directory / "report.html"
    deploy("runs", "report", "-o", str(page))
    text = page.read_text()
    tags = Tags()
    tags.feed(text)
    assert not tags.seen & {"script", "b", "link", "img"}
    assert "&lt;script&gt;alert(1)" in text
    for nodes in ("this machine", "3 nodes infra1,w[1,3]", "w2"):
        assert f"<h2>{nodes} " in text
    assert text.count('class="failed"') >= 2
    assert "http" not in text  # nothing is fetched from anywhere


def test_bars_lie_within_the_run(deploy: Deploy) -> None:
    place = failed_run(deploy)
    run, found = journal.read(place), list(records(place))
    bars = [bar for lane in timeline.lanes(run, found) for bar in lane.bars]
    assert len(bars) == 4
    assert all(0 <= bar.left <= 100 and bar.left + bar.width <= 101 for bar in bars)
    assert {bar.state for bar in bars} == {"ok", "failed"}


def test_junit_has_a_case_for_each_node(deploy: Deploy) -> None:
    failed_run(deploy)
    suite = ElementTree.fromstring(deploy("runs", "report", "--junit").stdout)
    assert suite.attrib["tests"] == "4" and suite.attrib["failures"] == "1"
    (failure,) = suite.iter("failure")
    assert failure.text and "exit 1" in failure.text


def test_what_xml_cannot_say_is_replaced() -> None:
    assert page.printable("a\x00\x1b[1mb\n") == "a\ufffd\ufffd[1mb\n"


def test_the_page_says_what_changed_and_of_what_versions(deploy: Deploy) -> None:
    script = deploy.directory / "job.sh"
    script.write_text(f"echo 'changed: the {AWKWARD.split(maxsplit=1)[0]} of it'\n")
    deploy("runscriptonall", str(script))
    text = deploy("runs", "report").stdout
    assert (
        text.count("<li>the &lt;script&gt;alert(1)&lt;/script&gt; of it</li>") == 1
    )  # said once for four nodes
    assert "dlws 0.1.0, python 3." in text and "kubernetes 1." in text
    assert "changed the <script>" in deploy("runs", "show").stdout


def test_a_page_of_500_nodes_that_all_differ_is_small() -> None:
    run = replace(RUN, nodes={f"n{i:03}": "failed" for i in range(500)})
    found: list[dict[str, Any]] = [{"kind": "run", "time": at(0)}]
    for i, number in itertools.product(range(500), range(10)):
        about = {"node": f"n{i:03}", "operation": f"{i}.{number}", "title": f"command {number}"}
        found.append({"kind": "begin", "time": at(number), **about})
        code, last = int(number == 9), f"{i} " * 5000
        found.append({"kind": "done", "time": at(number + 1), "seconds": 1, "code": code}
                     | {**about, "last": last})  # fmt: skip
        found.append({"kind": "changed", "node": f"n{i:03}", "what": f"file {i} {number}"}
                     | {"time": at(number)})  # fmt: skip
    assert len(page.html(run, found).encode()) < 2_000_000


def test_nodes_that_did_the_same_are_one_lane_from_first_to_last() -> None:
    one = timeline.Lane(["a"], "ok", [timeline.Bar("x", "ok", 10, 5, 1, "pid 1")])
    two = timeline.Lane(["b"], "ok", [timeline.Bar("x", "ok", 30, 5, 2, "pid 2")])
    odd = timeline.Lane(["c"], "failed", [timeline.Bar("x", "failed", 0, 5, 2, "why")])
    both, other = timeline.folded([one, two, odd])
    assert both.nodes == ["a", "b"] and other.nodes == ["c"]
    assert both.bars == [timeline.Bar("x", "ok", 10, 25, 2, "pid 1")]


def test_this_machine_shows_the_steps() -> None:
    steps = [("build", 2), ("mount", 10)]
    found = [{"kind": "run", "time": at(0)}]
    found += [{"kind": "step", "name": name, "time": at(end)} for name, end in steps]
    (build, mount) = timeline.here(found).bars
    assert (build.left, build.width, mount.left, mount.width) == (0, 20, 20, 80)


@pytest.mark.parametrize(("seconds", "marks"), [
    (0.5, ["0 s"]),
    (7, ["0 s", "1 s", "2 s", "3 s", "4 s", "5 s", "6 s", "7 s"]),
    (240, ["0 s", "30 s", "1 min", "1 min 30 s", "2 min", "2 min 30 s", "3 min", "3 min 30 s",
           "4 min"]),
])  # fmt: skip
def test_a_time_axis(seconds: float, marks: list[str]) -> None:
    assert [text for _, text in timeline.axis(seconds)] == marks
