"""A cluster's own templates/ lie over ours, file by file."""

from __future__ import annotations

from pathlib import Path

from dlws.core import resources


def lay(place: Path, *names: str) -> None:
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(str(place))


def test_folders_of_both_and_their_files(tmp_path: Path) -> None:
    own, ours = tmp_path / "templates", resources.templates()
    lay(own / "nodes/nfs-server", "role.yaml", "etc/x", "etc/x~", ".DS_Store")
    lay(own / "nodes/a", "b")
    lay(own / "nodes/.git", "c")
    found = resources.folders("nodes", tmp_path)
    assert found["a"] == (own / "nodes/a",)
    assert found["nfs-server"] == (own / "nodes/nfs-server", ours / "nodes/nfs-server")
    assert ".git" not in found and list(found) == sorted(found)
    files = resources.files(found["nfs-server"])
    assert files["role.yaml"] == own / "nodes/nfs-server/role.yaml"
    exports = "etc/exports.d/dlws.exports.j2"
    assert files[exports] == ours / "nodes/nfs-server" / exports
    assert {*files} == {"role.yaml", exports, "etc/nfs.conf.d/dlws.conf.j2", "etc/x"}


def test_a_directory_without_templates_or_our_own(tmp_path: Path) -> None:
    assert resources.places(tmp_path) == (resources.templates(),)
    assert resources.places(resources.root()) == (resources.templates(),)


def test_files_are_in_the_order_of_their_folders_and_links_to_folders_are_none(
    tmp_path: Path,
) -> None:
    lay(tmp_path / "one", "a.b", "a/b", "a/c.pyc", "z")
    (tmp_path / "one/link").symlink_to(tmp_path / "one/a")
    (tmp_path / "one/file").symlink_to("z")
    assert list(resources.files([tmp_path / "one"])) == ["a/b", "a.b", "file", "z"]
