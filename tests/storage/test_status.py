"""What the states of units amount to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.config.mounts import mounts_of
from dlws.core.connection import Result
from dlws.core.errors import CheckFailed, DeployError
from dlws.storage import status
from tests.support.fakes import World
from tests.support.shares import TEXT

Make = Callable[..., World]


def answers(text: str) -> Callable[[str, bytes], Result | None]:
    return lambda command, stdin: Result(0, text.encode()) if "stat -f" in command else None


@pytest.mark.parametrize(("line", "state"), [
    ("active active yes 4096 1048576 262144", "mounted"),
    ("active inactive no 0 0 0", "does not answer"),
    ("inactive active no 0 0 0", "waits to be used"),
    ("failed inactive no 0 0 0", "not mounted"),
    ("unknown unknown no 0 0 0", "not mounted"),
])  # fmt: skip
def test_states(line: str, state: str) -> None:
    config = from_text(TEXT, Path())
    mounts = mounts_of(config, config.machines["w1"], {})
    rows = status.parsed("w1", mounts, f"{line}\nactive inactive yes 1 2 1\n")
    assert [(row.share, row.state) for row in rows] == [("s", state), ("e", "mounted")]
    if state == "mounted":
        assert (rows[0].size, rows[0].free) == (4 * 2**30, 2**30)


@pytest.mark.parametrize("text", ["", "active active yes 1 2\n\n", "x\ny\n", "a b c d e f\n" * 2])
def test_an_answer_that_is_none(text: str) -> None:
    config = from_text(TEXT, Path())
    mounts = mounts_of(config, config.machines["w1"], {})
    with pytest.raises(DeployError, match="asked for 2 shares"):
        status.parsed("w1", mounts, text)


def test_it_is_shown_and_what_is_not_well_ends_with_5(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    world = make(TEXT)
    good = "active active yes 4096 1048576 262144\nactive unknown yes 4096 10 5\n"
    world.fakes["infra01"].rules.append(answers(good))
    world.fakes["w1"].rules.append(answers(good))
    status.show(world.cluster, (), "table")
    shown = capsys.readouterr().out
    assert "infra01,w1  s      mounted  4.0 GiB  1.0 GiB  /mntdlws/a b  nas:/x\n" in shown
    world.fakes["w1"].rules[:] = [answers(good.replace("active active", "failed inactive"))]
    with pytest.raises(CheckFailed, match="not as they should be: s \\(nas:/x\\) on w1"):
        status.show(world.cluster, (), "json")
    rows = json.loads(capsys.readouterr().out)
    assert [row["state"] for row in rows] == ["mounted", "mounted", "not mounted", "mounted"]
