"""One invocation: nothing is loaded, connected or recorded before it is used."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from dlws.core.errors import Refused, UsageError
from dlws.runs.options import Options
from dlws.session import PASSPHRASE, Session, confirm

CONFIG = "cluster_name: t\nmachines: {i1: {role: infra, private-ip: 10.0.0.1}}\n"


@pytest.fixture
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    (tmp_path / "config.yaml").write_text(CONFIG)
    monkeypatch.delenv(PASSPHRASE, raising=False)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return Session(Options(directory=tmp_path, command="up"))


def test_it_loads_the_configuration_once(session: Session) -> None:
    config = session.config
    (session.options.directory / "config.yaml").write_text("nonsense")
    assert session.config is config and config.cluster_name == "t"


def test_it_has_one_run_and_one_cluster(session: Session) -> None:
    assert session.run is session.run
    assert session.cluster is session.cluster
    assert session.cluster.run is session.run
    assert session.gate is session.run.gate
    assert session.quarantined == {}


def test_what_changes_nothing_leaves_nothing(session: Session) -> None:
    assert session.cluster.nodes[0].name == "i1"
    session.finish("ok")
    session.close()
    assert [path.name for path in session.options.directory.iterdir()] == ["config.yaml"]


def test_it_ends_though_nothing_was_ever_asked_for(tmp_path: Path) -> None:
    session = Session(Options(directory=tmp_path))
    assert session.quarantined == {}
    session.finish("ok")
    session.close()
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_that_nobody_gave_says_where_to_give_it(session: Session) -> None:
    with pytest.raises(UsageError, match="no passphrase is given") as caught:
        session._passphrase()
    assert "secrets_key" in caught.value.cure and PASSPHRASE in caught.value.cure


@pytest.mark.parametrize(("key", "variable", "given"), [
    ("", "of the environment", "of the environment"),
    ("secrets_key: of the configuration\n", "of the environment", "of the configuration"),
])  # fmt: skip
def test_the_configurations_passphrase_comes_first_and_is_redacted(
    session: Session, monkeypatch: pytest.MonkeyPatch, key: str, variable: str, given: str
) -> None:
    monkeypatch.setenv(PASSPHRASE, variable)
    with (session.options.directory / "config.yaml").open("a") as config:
        config.write(key)
    assert session._passphrase() == given
    assert given not in session.console.redactor.text(f"it is {given}.")


def test_a_secret_is_read_from_standard_input_where_there_is_no_terminal(
    session: Session, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="Password: not given"):
        session.ask_secret("Password")
    monkeypatch.setattr("sys.stdin", io.StringIO("it's secret \r\nmore\n"))
    assert session.ask_secret("Password") == "it's secret "
    assert "secret" not in capsys.readouterr().err.replace("Password:", "")


@pytest.mark.parametrize("given", ["", "T", "t ", "another"])
def test_another_name_than_the_clusters_is_refused(session: Session, given: str) -> None:
    with pytest.raises(Refused, match="the cluster's name is t; nothing was changed") as caught:
        confirm(session, "All is lost.", "reset", given)
    assert "--yes-reset t" in caught.value.cure
    confirm(session, "All is lost.", "reset", "t")


def test_a_name_on_a_line_that_was_written_down_does_not_count(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A made-up journal, or a plan of somebody else's, may say it."""
    session.options = replace(session.options, resume="run-1")
    with pytest.raises(Refused, match="nothing was changed") as caught:
        confirm(session, "All is lost.", "reset", "t")
    assert "run the command itself with --yes-reset t" in caught.value.cure
    monkeypatch.setattr("sys.stdin", io.StringIO("t\n"))
    confirm(session, "All is lost.", "reset", "other")
