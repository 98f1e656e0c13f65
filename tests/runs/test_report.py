"""Reports of runs."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

from dlws.runs import journal, report
from dlws.runs.records import records
from tests.support.deploy import Deploy

AWKWARD = "<script>alert(1)</script> & \"quotes\" 'and' ü"


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
    for node in ("infra1", "w1", "w2", "w3"):
        assert f"<h2>{node} " in text
    assert text.count('class="failed"') >= 2
    assert "http" not in text  # nothing is fetched from anywhere


def test_bars_lie_within_the_run(deploy: Deploy) -> None:
    place = failed_run(deploy)
    run, found = journal.read(place), list(records(place))
    bars = [bar for lane in report.lanes(run, found) for bar in lane.bars]
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
    assert report.printable("a\x00\x1b[1mb\n") == "a\ufffd\ufffd[1mb\n"


def test_the_page_says_what_changed_and_of_what_versions(deploy: Deploy) -> None:
    script = deploy.directory / "job.sh"
    script.write_text(f"echo 'changed: the {AWKWARD.split(maxsplit=1)[0]} of it'\n")
    deploy("runscriptonall", str(script))
    text = deploy("runs", "report").stdout
    assert text.count("<li>the &lt;script&gt;alert(1)&lt;/script&gt; of it</li>") == 4
    assert "dlws 0.1.0, python 3." in text and "kubernetes 1." in text
    assert "changed the <script>" in deploy("runs", "show").stdout
