"""Directories for a while: closed to others, and gone however their program ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dlws.core.localfiles import scratch

_KILLED = """
import os, signal, sys
from pathlib import Path
from dlws.core.localfiles import scratch
with scratch("dlws-toy-", Path(sys.argv[1])) as place:
    (place / "deeper").mkdir()
    (place / "deeper/login").write_text("secret")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_it_is_closed_to_others_and_gone_afterwards(tmp_path: Path) -> None:
    with scratch("dlws-toy-", tmp_path) as place:
        assert place.parent == tmp_path and place.name.startswith("dlws-toy-")
        assert place.stat().st_mode & 0o777 == 0o700
        (place / "file").write_text("x")
    assert not list(tmp_path.iterdir())


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mine"), scratch("dlws-toy-", tmp_path):
        raise ValueError("mine")
    assert not list(tmp_path.iterdir())


def test_it_is_where_temporary_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch("dlws-toy-") as place:
        assert place.parent == tmp_path


def test_the_next_one_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    with scratch("dlws-toy-", tmp_path) as used:
        line = [sys.executable, "-c", _KILLED, str(tmp_path)]
        assert subprocess.run(line, check=False).returncode == -signal.SIGKILL
        (left,) = set(tmp_path.iterdir()) - {used}
        assert (left / "deeper/login").exists()
        with scratch("dlws-other-", tmp_path):
            assert left.exists()
        with scratch("dlws-toy-", tmp_path) as mine:
            assert set(tmp_path.iterdir()) == {used, mine}


def test_links_files_and_what_is_another_users_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "far/kept").mkdir(parents=True)
    (tmp_path / "dlws-toy-link").symlink_to(tmp_path / "far")
    (tmp_path / "dlws-toy-file").touch()
    (tmp_path / "dlws-toy-theirs").mkdir()
    user = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: user + 1)
    with scratch("dlws-toy-", tmp_path):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {
        "far", "dlws-toy-link", "dlws-toy-file", "dlws-toy-theirs",
    }  # fmt: skip
    monkeypatch.undo()
    with scratch("dlws-toy-", tmp_path):
        pass
    assert not (tmp_path / "dlws-toy-theirs").exists() and (tmp_path / "far/kept").exists()
