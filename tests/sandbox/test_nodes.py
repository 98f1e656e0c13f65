"""Names, networks, parsing and plans of a sandbox, without any node."""

from __future__ import annotations

from pathlib import Path

from dlws.sandbox import nodes
from tests.support.sandboxes import BOX


def test_mounts_come_deepest_first_and_of_this_folder_only() -> None:
    lines = ["/", "/s/a b-1", "/s/a b-1/root", "/s/a b-11"]
    text = "\n".join(f"1 2 0:3 / {line.replace(' ', chr(92) + '040')} rw - x" for line in lines)
    assert nodes.mounts_below(text, Path("/s/a b-1")) == ["/s/a b-1/root", "/s/a b-1"]


def test_hosts_names_each_node_fully_and_shortly() -> None:
    assert "10.77.4.14 a.example.org a\n" in nodes.hosts(BOX)


def test_write_never_goes_through_a_link(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/resolv.conf").symlink_to(outside)
    nodes.write(tmp_path, "etc/resolv.conf", "new", 0o640)
    assert outside.read_text() == "mine"
    assert (tmp_path / "etc/resolv.conf").read_text() == "new"
    assert (tmp_path / "etc/resolv.conf").stat().st_mode & 0o777 == 0o640
