"""What a run costs at any size: commands that the hosts of a farm were sent, counted."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import measure
from benchmarks.scale import NAMES, Scale
from tests.support import forkserver

pytestmark = pytest.mark.farm
SIZES = (10, 40)


@pytest.fixture(autouse=True)
def forked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The programs are forks: what their starts take is not looked at here."""

    def run(command: Sequence[str], _: Path) -> measure.Sample:
        python, program, *words = command
        assert (python, program) == (measure.PYTHON, "deploy.py")
        done = forkserver.run(words, "", os.environ, seconds=600)
        return measure.Sample(0, 0, done.returncode, done.stdout + done.stderr)

    monkeypatch.setattr(measure, "run", run)


@pytest.mark.parametrize("size", SIZES)
def test_a_run_with_nothing_to_do_asks_each_host_once(tmp_path: Path, size: int) -> None:
    with Scale(tmp_path, size) as scale:
        for name, words in scale.stages().items():
            sample, received = scale.run(*words)
            assert (name, scale.per_host(received)) == (name, {1})
            assert not re.search(r"^(node\d+: )?changed:", sample.out, re.MULTILINE), sample.out


@pytest.mark.parametrize("size", SIZES)
def test_one_more_host_costs_the_others_nothing_but_its_name(tmp_path: Path, size: int) -> None:
    with Scale(tmp_path, size) as scale:
        found = scale.one_more()
    # Its name: /etc/hosts is read, its state asked for, the new one placed.
    assert {name: others for name, (others, _) in found.items()} == {
        name: {3} if name == NAMES else {0} for name in found
    }
    assert {name: own for name, (_, own) in found.items() if name != NAMES} == dict.fromkeys(
        (name for name in found if name != NAMES), 1
    )
