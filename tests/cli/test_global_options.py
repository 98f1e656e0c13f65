"""The whole command tree: help, options before and behind, bad words, completion."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dlws.cli.global_options import as_typed, global_options_first, keeps_all
from dlws.cli.root import cli
from tests.support import ROOT
from tests.support.deploy import Deploy


def tree(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if path:
        yield path
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            yield from tree(at((*path, name)), (*path, name))


def at(path: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for name in path:
        assert isinstance(command, click.Group)
        inner = command.get_command(click.Context(command), name)
        assert inner, name
        command = inner
    return command


COMMANDS = list(tree(cli))
NAMES = [" ".join(path) for path in COMMANDS]
HELPFUL = [path for path in COMMANDS if not keeps_all(at(path))]


@pytest.mark.parametrize("path", COMMANDS, ids=NAMES)
def test_every_command_has_help_that_fits_a_line_of_its_own(path: tuple[str, ...]) -> None:
    command = at(path)
    assert command.help and command.short_help
    assert command.short_help == command.get_short_help_str(45)


@pytest.mark.parametrize("path", HELPFUL, ids=[" ".join(path) for path in HELPFUL])
def test_help_and_unknown_options(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(cli, [*path, "--help"])
    assert shown.exit_code == 0 and "Usage:" in shown.output
    if not as_typed(at(path)):
        wrong = CliRunner().invoke(cli, [*path, "--no-such-option"])
        assert wrong.exit_code == 2 and "no-such-option" in wrong.stderr


@pytest.mark.parametrize("path", COMMANDS, ids=NAMES)
def test_readme_names_every_command(path: tuple[str, ...]) -> None:
    text = (ROOT / "README.md").read_text()
    in_group = len(path) > 1 and f"`{path[0]} " in text and f"`{path[-1]}`" in text
    assert f"`{' '.join(path)}" in text or f", {' '.join(path)}" in text or in_group


def test_nothing_in_a_help_text_is_cut() -> None:
    for path in COMMANDS:
        group = " ".join(CliRunner().invoke(cli, [*path[:-1], "--help"]).output.split())
        assert f"{path[-1]} {at(path).short_help}" in group


@pytest.mark.parametrize(("typed", "meant"), [
    ("status --dry-run", "--dry-run status"),
    ("hosts --nodes w1 --nodes=w2", "--nodes w1 --nodes=w2 hosts"),
    ("kubeadm join w1 -yv --parallel 3 w2", "-yv --parallel 3 kubeadm join w1 w2"),
    ("kubeadm --dry-run reset --yes-reset -v w", "--dry-run kubeadm reset --yes-reset -v w"),
    ("up --from --nodes --only 3 -y", "-y up --from --nodes --only 3"),
    ("copytoall a b -- --dry-run", "copytoall a b -- --dry-run"),
    ("execonall ls --dry-run -v", "execonall ls --dry-run -v"),
    ("execonall --dry-run ls -v", "--dry-run execonall ls -v"),
    ("execonall --nodes w1 ls --nodes w2", "--nodes w1 execonall ls --nodes w2"),
    ("runscriptonall x.sh --force", "runscriptonall x.sh --force"),
    ("kubectl --dry-run get -v 6", "kubectl --dry-run get -v 6"),
    ("--dir d --sudo execonall -- -v", "--dir d --sudo execonall -- -v"),
    ("sandbox up --workers 2 --dir x", "--dir x sandbox up --workers 2"),
    ("status --help", "status --help"),
    ("status --output json -q", "status --output json -q"),
    ("connect worker --nodes", "--nodes connect worker"),
])  # fmt: skip
def test_options_behind_the_command(typed: str, meant: str) -> None:
    assert global_options_first(cli, typed.split()) == meant.split()


def test_an_option_behind_the_command_works(deploy: Deploy) -> None:
    done = deploy("display", "--nodes", "w1")
    assert "w1" in done.stdout and "w2" not in done.stdout
    deploy("hosts", "--dry-run")
    assert not (deploy.directory / "deploy").exists()


def test_the_retry_line_of_an_option_behind_keeps_one_limit(deploy: Deploy, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    done = deploy("copytoall", f"{tmp_path}/f", "/proc/no/f", "--nodes", "w1,w2", code=1)
    again = done.stderr.split("retry just those: ")[1].splitlines()[0]
    assert again.count("--nodes") == 1 and "--nodes 'w[1-2]'" in again


def test_warnings_are_one_line_of_standard_error(deploy: Deploy) -> None:
    config = deploy.directory / "config.yaml"
    config.write_text(config.read_text() + "no_such_key: 1\nnor_this: 2\n")
    done = deploy("display")
    assert done.stderr == "config.yaml: 2 warnings; checkconfig shows them\n"


@pytest.mark.parametrize(("word", "found"), [("exec", "execonall"), ("sand", "sandbox")])
def test_completion(word: str, found: str) -> None:
    env = {**os.environ, "COMP_WORDS": f"deploy.py {word}", "COMP_CWORD": "1"}
    env["_DEPLOY_PY_COMPLETE"] = "bash_complete"
    done = subprocess.run(
        [sys.executable, ROOT / "deploy.py"], env=env, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [f"plain,{found}"]


def test_completion_can_be_switched_on() -> None:
    env = {**os.environ, "_DEPLOY_PY_COMPLETE": "bash_source"}
    done = subprocess.run(
        [sys.executable, ROOT / "deploy.py"], env=env, capture_output=True, text=True, check=True
    )
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True, check=True).returncode == 0
