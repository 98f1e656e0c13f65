"""The portal's commands, as a person types them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dlws.cli.portal import genscripts, nginx, set_mirror, webui
from dlws.core.errors import UsageError
from dlws.runs.options import Options
from dlws.session import Session
from tests.support.examples import filled_in


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "config.yaml").write_text(filled_in(apt_mirror_url="https://mirror.example.org"))
    return Session(Options(directory=tmp_path))


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (nginx, ["webui3"], "nothing to do: nginx hands / on to webui3"),
        (set_mirror, [], "nothing to do: the apt mirror is https://mirror.example.org"),
        (genscripts, [], "nothing to make: scripts get the values of config.yaml"),
    ],
)
def test_commands_of_older_versions_say_that_nothing_is_left_to_do(
    session: Session, command: click.Command, words: list[str], said: str
) -> None:
    done = CliRunner().invoke(command, words, obj=session, catch_exceptions=False)
    assert (done.exit_code, said in done.output) == (0, True)
    assert not (session.options.directory / "deploy").exists()


def test_a_configuration_that_is_wrong_is_said(session: Session) -> None:
    (session.options.directory / "config.yaml").write_text("cluster_name: [\n")
    result = CliRunner().invoke(genscripts, [], obj=session)
    assert isinstance(result.exception, UsageError)


def test_what_the_portal_needs_is_made(session: Session) -> None:
    for command, words in ((webui, []), (nginx, ["config"])):
        CliRunner().invoke(command, words, obj=session, catch_exceptions=False)
    deploy = session.options.directory / "deploy"
    assert (deploy / "dashboard/local.yaml").is_file()
    assert (deploy / "nginx/tls.crt").is_file()
