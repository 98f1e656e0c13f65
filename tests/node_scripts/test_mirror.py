from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bash import bash

ONE_LINE = """# deb http://deb.debian.org/debian old main
deb [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian bookworm main
deb-src http://archive.ubuntu.com/ubuntu/ jammy main
deb http://security.debian.org/debian-security bookworm-security main
deb https://ppa.launchpadcontent.net/a/b/ubuntu jammy main
deb https://download.docker.com/linux/debian bookworm stable
"""

DEB822 = """Types: deb
# URIs: http://deb.debian.org/debian
URIs: http://deb.debian.org/debian http://other.example/debian/
Suites: bookworm
"""


def test_only_the_distributions_own_archives_move_to_the_mirror(root: Path) -> None:
    one, two = root / "etc/apt/sources.list", root / "etc/apt/sources.list.d/debian.sources"
    two.parent.mkdir()
    one.write_text(ONE_LINE)
    two.write_text(DEB822)
    text = "apt_update() { say update; }; use_mirror; finish"
    done = bash(text, root, DLWS_APT_MIRROR=r"http:\/\/mirror.example:8080")
    assert done.stdout.count("changed:") == 2
    new = "http://mirror.example:8080/debian"
    lines = ONE_LINE.splitlines()
    assert one.read_text().splitlines() == [
        lines[0],
        f"deb [arch=amd64 signed-by=/k.gpg] {new} bookworm main",
        f"deb-src {new} jammy main",
        *lines[3:],
    ]
    assert f"\nURIs: {new} {new}\n" in two.read_text()
    assert DEB822.splitlines()[1] in two.read_text()
    again = bash(text, root, DLWS_APT_MIRROR="http://mirror.example:8080/debian/")
    assert again.stdout == "nothing to do\n"
    assert bash(text, root).stdout == "nothing to do\n"


def test_a_mirror_that_does_not_work_is_taken_back(root: Path) -> None:
    sources = root / "etc/apt/sources.list"
    sources.write_text(ONE_LINE)
    text = "apt_update() { return 1; }; use_mirror"
    done = bash(text, root, DLWS_APT_MIRROR="http://m.example")
    assert done.returncode == 1
    assert sources.read_text() == ONE_LINE


@pytest.mark.parametrize("value", ["mirror", "http://a b", "http://x/$(id)", "ftp://x", "http://"])
def test_a_mirror_that_is_no_address(root: Path, value: str) -> None:
    done = bash("use_mirror", root, DLWS_APT_MIRROR=value)
    assert done.returncode == 1
    assert "apt_mirror_url" in done.stderr
