from __future__ import annotations

from pathlib import Path

from dlws.core.localfiles import write


def test_a_file_is_never_readable_by_others(tmp_path: Path) -> None:
    target = tmp_path / "new/admin.conf"
    write(target, b"one")
    target.chmod(0o644)
    write(target, b"two")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"two", 0o600)
    assert len(list(target.parent.iterdir())) == 1
