"""The page /monitor/: what it is made of, and that it shows what it is told as text alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlws.core.resources import templates

PAGE = templates() / "services/nginx/files/monitor"
OURS = ("index.html", "monitor.css", "monitor.js")


def test_nothing_that_is_told_is_read_as_html_or_code() -> None:
    for name in ("monitor.js", "uPlot.iife.min.js"):
        words = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function"
        assert not re.search(words, (PAGE / name).read_text()), name


def test_the_page_has_no_code_or_style_of_its_own_and_loads_nothing_from_elsewhere() -> None:
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"<script>|<style|style=|\son[a-z]+=|https?://", page)
    assert not re.search(r"https?://", (PAGE / "monitor.js").read_text())
    named = set(re.findall(r'(?:src|href)="([^"#]+)"', page))
    assert named == {"uPlot.min.css", "monitor.css", "uPlot.iife.min.js", "monitor.js"}
    assert all((PAGE / name).is_file() for name in named)


def test_the_chart_library_comes_with_its_licence() -> None:
    assert (
        "Permission is hereby granted, free of charge" in (PAGE / "uPlot.LICENSE.txt").read_text()
    )


@pytest.mark.parametrize("name", OURS)
def test_the_page_is_served(name: str) -> None:
    manifest = (Path(PAGE).parent.parent / "nginx.yaml.j2").read_text()
    assert f'"{name}"' in manifest
