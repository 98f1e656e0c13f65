"""Names of units that are made from paths: what systemd-escape prints."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlws.core.errors import UsageError
from dlws.shell.units import escaped, written

KNOWN = {
    "/": "-",
    "/mntdlws": "mntdlws",
    "//a//b/./c/": "a-b-c",
    "/a-b/c": r"a\x2db-c",
    "/.a/.b": r"\x2ea-.b",
    "/mnt/a b": r"mnt-a\x20b",
    "/mnt/ü%i\\x": r"mnt-\xc3\xbc\x25i\x5cx",
    "/a:_.Z9": "a:_.Z9",
}


@pytest.mark.parametrize(("path", "name"), KNOWN.items())
def test_known_names(path: str, name: str) -> None:
    assert escaped(path) == name


@pytest.mark.skipif(not shutil.which("systemd-escape"), reason="needs systemd-escape")
@settings(max_examples=30, deadline=None)
@given(st.lists(st.text("ab.- %\\ü漢:_'\"$", min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_same_as_systemd_escape(parts: list[str]) -> None:
    path = "/" + "/".join(part for part in parts if part != "..")
    said = subprocess.run(
        ["systemd-escape", "--path", "--", path], capture_output=True, text=True, check=False
    )
    if said.returncode == 0:
        assert escaped(path) == said.stdout.removesuffix("\n")


@pytest.mark.parametrize("path", ["a", "/a/../b", "", "/" + "ü" * 70])
def test_paths_without_a_name(path: str) -> None:
    with pytest.raises(UsageError):
        escaped(path)


def test_a_percent_sign_begins_nothing() -> None:
    assert written("/50%i") == "/50%%i"
