"""The commands of shares, as a person types them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from dlws.cli.storage import mount
from dlws.core.errors import UsageError
from dlws.runs.options import Options
from dlws.session import Session
from dlws.storage import mount as actions

ALL = ("mounts", "mount-links")


@pytest.fixture
def session(tmp_path: Path) -> Session:
    machines = "machines: {m1: {role: infrastructure, private-ip: 10.1.0.1}}\n"
    (tmp_path / "config.yaml").write_text(f"cluster_name: atlas\n{machines}")
    return Session(Options(directory=tmp_path))


@pytest.mark.parametrize(("words", "roles", "nodes"), [
    ([], ALL, ()), (["start"], ALL, ()), (["start", "a", "b"], ALL, ("a", "b")),
    (["install"], ("mount-packages",), ()), (["nolink"], ("mounts",), ()),
    (["link", "a"], ("mount-links",), ("a",)),
])  # fmt: skip
def test_what_each_brings(
    session: Session, monkeypatch: pytest.MonkeyPatch, words: list[str],
    roles: Sequence[str], nodes: Sequence[str],
) -> None:  # fmt: skip
    seen: list[Any] = []
    monkeypatch.setattr(actions, "bring", lambda cluster, *given: seen.append(given))
    assert CliRunner().invoke(mount, words, obj=session).exit_code == 0
    assert seen == [(roles, nodes)]


@pytest.mark.parametrize("words", [[], ["install"], ["status"], ["stop"]])
def test_without_shares_it_says_what_to_write(session: Session, words: list[str]) -> None:
    result = CliRunner().invoke(mount, words, obj=session)
    assert isinstance(result.exception, UsageError)
    assert "mountpoints: {share1:" in result.exception.cure


def test_every_command_has_help() -> None:
    for name, command in mount.commands.items():
        assert command.get_help(click.Context(command)), name
