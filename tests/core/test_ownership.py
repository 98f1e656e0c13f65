"""What other users of the devbox can have put there is not opened, and not taken."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dlws.core import ownership
from dlws.core.errors import Refused
from dlws.sandbox import state

STRANGER = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of locks, whoever runs the tests."""
    monkeypatch.setattr(ownership, "RUN", tmp_path / "dlws")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "dlws"


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_locks_lie_where_nobody_else_can_hold_them(run: Path) -> None:
    with state.locked("registry"):
        (lock,) = run.iterdir()
        assert (mode(run), mode(lock)) == (0o700, 0o600)
    assert not list(run.iterdir())


def test_a_link_in_the_place_of_a_lock_is_not_followed(run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    ownership.private(run)
    (run / "sandbox-registry").symlink_to(victim)
    with pytest.raises(Refused, match="cannot be opened"), state.locked("registry"):
        pass
    assert victim.read_text() == "precious" and (run / "sandbox-registry").is_symlink()


def test_a_lock_is_not_emptied(run: Path) -> None:
    (ownership.private(run) / "sandbox-x").write_text("somebody's note")
    with state.locked("x"):
        assert (run / "sandbox-x").read_text() == "somebody's note"


@pytest.mark.parametrize("kind", ["link", "open", "file"])
def test_a_directory_of_locks_that_is_not_ours_alone_is_refused(
    run: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        run.symlink_to(tmp_path / "elsewhere")
    elif kind == "open":
        run.mkdir()
        run.chmod(0o755)
    else:
        run.touch()
    with pytest.raises(Refused, match=str(run)), state.locked("x"):
        pass


@as_root
def test_a_lock_or_a_directory_of_somebody_else_is_refused(run: Path) -> None:
    lock = ownership.private(run) / "sandbox-x"
    lock.touch()
    os.chown(lock, STRANGER, STRANGER)
    with pytest.raises(Refused, match="not a file of ours"), state.locked("x"):
        pass
    os.chown(run, STRANGER, STRANGER)
    with pytest.raises(Refused, match=f"belongs to user {STRANGER}"), state.locked("x"):
        pass


def test_a_cache_of_ours_is_taken_and_need_not_be_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "none yet"))
    assert ownership.cache() == tmp_path / "none yet/dlws"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "dlws").mkdir(mode=0o755)
    assert ownership.cache() == tmp_path / "dlws"


@pytest.mark.parametrize("what", ["dlws", "."])
@pytest.mark.parametrize("bits", [0o775, 0o757])
def test_a_cache_that_others_can_write_is_refused_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, bits: int
) -> None:
    home = tmp_path / "cache"
    (home / "dlws").mkdir(parents=True, mode=0o755)
    (home / what).chmod(bits)
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    with pytest.raises(Refused) as caught:
        ownership.cache()
    assert caught.value.cure.endswith(f"chmod go-w {home / what}")


def test_a_sticky_directory_above_is_fine_and_at_the_end_is_not(tmp_path: Path) -> None:
    (tmp_path / "tmp/mine").mkdir(parents=True)
    (tmp_path / "tmp").chmod(0o1777)
    (tmp_path / "tmp/mine").chmod(0o755)
    assert ownership.trusted(tmp_path / "tmp/mine")
    with pytest.raises(Refused):
        ownership.trusted(tmp_path / "tmp")


@as_root
@pytest.mark.parametrize("what", ["dlws", "dlws/rootfs", "link"])
def test_what_a_stranger_has_put_into_a_cache_is_refused(tmp_path: Path, what: str) -> None:
    (tmp_path / "dlws/rootfs").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "dlws/rootfs")
    place = tmp_path / ("link" if what == "link" else "dlws/rootfs")
    assert ownership.trusted(place)
    os.chown(tmp_path / what, STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(Refused, match=f"belongs to user {STRANGER}"):
        ownership.trusted(place)


@pytest.mark.parametrize("closed", ["deploy", "deploy/sshkey", "deploy/sshkey/key"])
@as_root
def test_what_another_user_made_is_named_with_the_line_that_gives_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    """Made under sudo, deploy/ cannot be entered, and a file that is not even there was named."""
    key = tmp_path / "deploy/sshkey/key"
    key.parent.mkdir(parents=True)
    if closed.endswith("key"):
        key.touch()
    os.chown(tmp_path / closed, STRANGER, STRANGER)
    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path / closed)
    told = ownership.in_words(PermissionError(13, "Permission denied", str(key)))
    assert told.message.startswith(f"{tmp_path / closed} belongs to nobody, and you are ")
    assert told.cure.endswith(f"sudo chown -R 0: {tmp_path}/deploy")


def test_other_errors_of_files_keep_their_words(tmp_path: Path) -> None:
    told = ownership.in_words(FileNotFoundError(2, "No such file or directory", "x"))
    assert told.message == "x: No such file or directory"
    assert ownership.in_words(OSError(28, "No space left on device")).message.startswith("No space")
    mine = ownership.in_words(PermissionError(13, "Permission denied", str(tmp_path / "a")))
    assert mine.message == f"{tmp_path}: Permission denied"
