"""What a sandbox raises of this machine's limits, and puts back."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core import ownership
from dlws.sandbox import machine

KEYS = {"net.ipv4.ip_forward": 0, "kernel.keys.maxkeys": 200, "kernel.keys.maxbytes": 9_000_000}


@pytest.fixture(autouse=True)
def limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another machine's /proc/sys, and its place for notes."""
    for key in machine.SYSCTLS:
        path = tmp_path / "proc" / key.replace(".", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{KEYS.get(key, 2_000_000)}\n")
    monkeypatch.setattr(machine, "PROC", tmp_path / "proc")
    monkeypatch.setattr(ownership, "RUN", tmp_path / "dlws")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "proc"


def values() -> dict[str, int]:
    return {key: machine._limit(key) for key in KEYS}


def test_what_was_raised_is_put_back_and_nothing_else() -> None:
    machine.tune()
    machine.tune()  # of a second sandbox: what it finds is ours
    raised = {"net.ipv4.ip_forward": 1, "kernel.keys.maxkeys": 20000}
    assert values() == KEYS | raised
    machine.restore()
    assert values() == KEYS
    machine.restore()
    assert values() == KEYS and not list(ownership.run_directory().iterdir())


def test_what_somebody_has_changed_since_stays(limits: Path) -> None:
    machine.tune()
    (limits / "kernel/keys/maxkeys").write_text("30000\n")
    machine.restore()
    assert values() == KEYS | {"kernel.keys.maxkeys": 30000}


@pytest.mark.parametrize("note", ["", "{", "[]", '{"kernel.keys.maxkeys": "x"}', '{"other": 1}'])
def test_a_note_that_makes_no_sense_changes_nothing(note: str) -> None:
    (ownership.run_directory() / "sandbox-limits.json").write_text(note)
    machine.restore()
    assert values() == KEYS
