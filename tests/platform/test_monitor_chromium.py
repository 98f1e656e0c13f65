"""The page /monitor/ in a real browser, with what the platform's meters tell of jobs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from sqlalchemy import Engine

from dlws.access import certificates
from dlws.core.resources import templates
from jobplatform.store import vcs
from jobplatform.store.database import changing
from tests.support.browser import Browser, browsing
from tests.support.platform.clients import serving
from tests.support.platform.managers import Site
from tests.support.platform.prometheus import Prometheus, site

PAGE = templates() / "services/nginx/files/monitor"
NASTY = "<img src=x onerror=alert(1)>"
TITLES = "[...document.querySelectorAll('#queue h3')].map(one => one.textContent)"
ROWS = """[...document.querySelectorAll('#queue tbody tr')].map(row =>
  [...row.cells].map(cell => cell.textContent))"""
INK = """[...document.querySelectorAll('#queue canvas')].map(one => {
  const data = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;
  let seen = 0;
  for (let i = 3; i < data.length; i += 4) if (data[i]) seen += 1;
  return seen; })"""
"""How many points of each chart are drawn at all."""


WIDER = "document.scrollingElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def prometheus(database: Engine) -> Iterator[Prometheus]:
    """What is told of a site on which jobs run, wait and have ended, and people ask."""
    there = Site(database)
    with changing(database) as connection:
        vcs.add(connection, NASTY, {"V100": 4}, {})
    running = there.submit(device="V100", devices=8)
    there.submit(device="V100", devices=9)
    ended = there.submit()
    there.turns()
    there.cluster.end(f"job-{ended}-1-worker-0")
    there.turns()
    assert there.job(running).jobStatus == "running"
    with serving(database) as client:
        for path in ("/api/v1/me", "/healthz", "/made/up"):
            client.get(path)
        api = client.app.state.meters.registry  # type: ignore[attr-defined]
        yield Prometheus([there.manager.meters.registry, api])


@pytest.fixture
def page(prometheus: Prometheus, tmp_path: Path) -> Iterator[Browser]:
    """A browser that has opened it."""
    pair = certificates.new_certificate(certificates.new_ca("tests"), ["127.0.0.1"])
    server = ThreadingHTTPServer(("127.0.0.1", 0), site(PAGE, prometheus))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        with browsing(tmp_path / "browser", pair.certificate) as browser:
            browser.ask("Emulation.setDeviceMetricsOverride", width=1280, height=900,
                        deviceScaleFactor=1, mobile=False)  # fmt: skip
            browser.open(f"http://127.0.0.1:{server.server_port}/monitor/")
            browser.shows("as of")
            yield browser
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_jobs_are_shown_as_charts_and_as_a_table(page: Browser, prometheus: Prometheus) -> None:
    assert page.look(TITLES) == [
        "Jobs by state", "Devices that jobs hold", "Waiting for devices: 95 of 100 jobs, at most",
        "Starting: 95 of 100 jobs, at most", "Requests to the API, per second, by answer",
        "Slowest requests to the API: 99 of 100, at most",
    ]  # fmt: skip
    ink = page.look(INK)
    assert len(ink) == 6 and all(points > 500 for points in ink), ink
    rows = {row[0]: row[1:] for row in page.look(ROWS)}
    assert rows["a"][:4] == ["1", "1", "8", "16"]
    assert rows[NASTY][3] == "4"  # a name is text
    assert page.scripts == []
    assert "No job runs." in page.text  # what nothing tells of says so
    told = {one for one in prometheus.asked if "dlws_" in one}
    assert len(told) == 12


def test_the_page_fits_a_phone(page: Browser) -> None:
    page.ask("Emulation.setDeviceMetricsOverride", width=360, height=640, deviceScaleFactor=2,
             mobile=True)  # fmt: skip
    page.look("window.left = true")
    page.ask("Page.reload")
    page.settled()
    page.shows("as of")
    assert page.look(WIDER) == 0
