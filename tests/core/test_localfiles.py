from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlws.core.localfiles import read, write, writing


def test_a_file_is_never_readable_by_others(tmp_path: Path) -> None:
    target = tmp_path / "new/admin.conf"
    write(target, b"one")
    target.chmod(0o644)
    write(target, b"two")
    assert (target.read_bytes(), target.stat().st_mode & 0o777) == (b"two", 0o600)
    assert len(list(target.parent.iterdir())) == 1


def test_what_has_no_end_or_keeps_one_waiting_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "large").write_bytes(b"x" * 2049)
    (tmp_path / "right").write_bytes(b"x" * 2048)
    assert len(read(tmp_path / "right", 2048)) == 2048
    for path, why in {
        tmp_path / "pipe": "not a regular file",
        Path("/dev/zero"): "not a regular file",
        tmp_path / "large": "more than 2 KiB",
        tmp_path: "Is a directory",
        tmp_path / "none": "No such file",
    }.items():
        with pytest.raises(OSError, match=why) as caught:
            read(path, 2048)
        assert caught.value.filename == str(path) and caught.value.strerror


def test_a_file_that_fails_on_the_way_leaves_the_old_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "file"
    write(target, b"old")
    with pytest.raises(ValueError), writing(target) as file:
        file.write(b"half")
        raise ValueError
    assert (target.read_bytes(), os.listdir(target.parent)) == (b"old", ["file"])
    with writing(target) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole" and target.stat().st_mode & 0o777 == 0o600
