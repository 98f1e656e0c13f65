"""What this machine keeps of its sandboxes."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.sandbox import state


def test_the_last_one_takes_nothing_with_it_that_is_not_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is mounted on a directory elsewhere goes when the directory is removed here."""
    registry = tmp_path / "dlws/sandbox"
    (registry / "a1").mkdir(parents=True)
    monkeypatch.setattr(state, "REGISTRY", registry)
    state.forget("a1")
    assert (tmp_path / "dlws").is_dir() and not registry.exists()
