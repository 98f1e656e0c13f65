from __future__ import annotations

from pathlib import Path

import pytest

from dlws.runs.appendlog import JournalUnwritable
from dlws.runs.console import Console
from dlws.runs.options import Options
from dlws.runs.run import Run


def test_a_run_whose_record_cannot_begin_gives_its_lock_back(tmp_path: Path) -> None:
    class Guard:
        held = False

        def take(self, run: str, deadline: float) -> None:
            self.held = True

        def release(self) -> None:
            assert started.halt.refusal is None, "no node could be asked any more"
            self.held = False

    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy/runs").touch()  # where a directory should be
    started, guard = Run(Options(directory=tmp_path), Console()), Guard()
    started.watch(guard, {})
    for _ in range(2):
        with pytest.raises(JournalUnwritable):
            started.journal(changes_node=True)
    assert not guard.held and started.halt.refusal
