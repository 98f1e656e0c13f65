"""What this machine keeps of its sandboxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.sandbox import state
from tests.support.sandboxes import BOX


def test_a_registry_that_others_can_enter_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nodes' files lie below it, their set-uid programs included."""
    registry = tmp_path / "dlws/sandbox"
    registry.mkdir(parents=True)
    registry.chmod(0o755)
    monkeypatch.setattr(state, "REGISTRY", registry)
    state.save(BOX)
    assert registry.stat().st_mode & 0o777 == 0o700 and state.load(BOX.id) == BOX
    state.forget(BOX.id)
    state.save(BOX)
    assert registry.stat().st_mode & 0o777 == 0o700


def test_damaged_sandboxes_count_as_sandboxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "REGISTRY", tmp_path / "sandbox")
    assert state.is_empty()
    (tmp_path / "sandbox/a1").mkdir(parents=True)
    (tmp_path / "sandbox/a1/state.json").write_text("{")
    assert not state.is_empty() and not state.all_sandboxes()


def test_the_last_one_takes_nothing_with_it_that_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is mounted on a directory elsewhere goes when the directory is removed here."""
    registry = tmp_path / "dlws/sandbox"
    (registry / "a1").mkdir(parents=True)
    monkeypatch.setattr(state, "REGISTRY", registry)
    state.forget("a1")
    assert (tmp_path / "dlws").is_dir() and not registry.exists()
