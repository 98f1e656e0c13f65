from __future__ import annotations

from pathlib import Path

from dlws.sandbox import naming


def test_links_fit_the_kernel_however_long_the_directory_is() -> None:
    id = naming.sandbox_id(Path("/" + "long " * 200))
    assert len(naming.link(naming.label(id, naming.LARGEST))) <= 15
    assert len(naming.bridge(id)) <= 15


def test_two_directories_have_two_names() -> None:
    assert naming.sandbox_id(Path("/tmp/a")) != naming.sandbox_id(Path("/tmp/b"))


def test_a_directory_has_one_name_however_it_is_spelled(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert naming.sandbox_id(tmp_path / "link") == naming.sandbox_id(tmp_path)
