"""The roles' commands, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from dlws.cli.nfs import nfs_server
from dlws.cli.role import role
from dlws.cli.root import cli
from dlws.core.errors import UsageError
from dlws.runs.options import Options
from dlws.session import Session

CONFIG = """cluster_name: atlas
machines:
  m1: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: [worker, toy], private-ip: 10.1.0.11}
  w2: {role: [worker, toy], private-ip: 10.1.0.12}
"""


@pytest.fixture
def session(tmp_path: Path) -> Session:
    folder = tmp_path / "templates/nodes/toy"
    folder.mkdir(parents=True)
    (folder / "role.yaml").write_text("description: A toy\n")
    (tmp_path / "config.yaml").write_text(CONFIG)
    return Session(Options(directory=tmp_path))


def test_the_list(session: Session) -> None:
    lines = CliRunner().invoke(role, ["list"], obj=session).output.splitlines()
    assert lines == [
        "glusterfs-server  -       Serves replicated volumes (GlusterFS)",
        "mount-links       -       Links into the shares of mountpoints, for jobs",
        "mount-packages    -       The programs that mount the shares of mountpoints",
        "mounts            -       Mounts the shares of mountpoints",
        "nfs-ganesha       -       "
        "Serves shared directories over NFS by a program, without the kernel (NFS-Ganesha)",
        "nfs-server        -       Serves shared directories over NFS",
        "npu-info          -       "
        "Keeps what npu-smi says of a node's NPUs in /var/log/npu/npu_smi, for monitoring",
        "registry          -       The cluster's own registry of images, and its mirrors of others",
        "registry-trust    -       "
        "Trusts the cluster's own registry, and pulls through its mirrors",
        "toy               w[1-2]  A toy",
    ]


def test_the_list_for_programs(session: Session, tmp_path: Path) -> None:
    shown = CliRunner().invoke(role, ["list", "--output", "json"], obj=session).output
    assert json.loads(shown)[-1] == {
        "role": "toy",
        "description": "A toy",
        "needs": [],
        "nodes": ["w1", "w2"],
        "folders": [str(tmp_path / "templates/nodes/toy")],
    }


@pytest.mark.parametrize("words", [["apply"], ["verify"], ["remove"]])
def test_a_role_that_there_is_not_is_a_usage_error(session: Session, words: list[str]) -> None:
    result = CliRunner().invoke(role, [*words, "tog"], obj=session)
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == "there is no role tog"


def test_nothing_to_serve_says_what_to_write(session: Session) -> None:
    result = CliRunner().invoke(nfs_server, ["create"], obj=session)
    assert isinstance(result.exception, UsageError)
    assert "nfs_disk_mnt: {MACHINE: {fileshares: [/data/share]}}" in result.exception.cure


@pytest.mark.parametrize("verb", ["apply", "verify", "remove"])
def test_names_of_roles_complete(session: Session, tmp_path: Path, verb: str) -> None:
    def offered(begun: str) -> list[str]:
        complete = ShellComplete(cli, {}, "deploy.py", "_X")
        words = ["--dir", str(tmp_path), "role", verb]
        return [item.value for item in complete.get_completions(words, begun)]

    ours = ["glusterfs-server", "mount-links", "mount-packages", "mounts", "nfs-ganesha"]
    assert offered("") == [*ours, "nfs-server", "npu-info", "registry", "registry-trust", "toy"]
    assert offered("t") == ["toy"]


def test_every_command_has_help() -> None:
    for name, command in role.commands.items():
        assert command.get_help(click.Context(command)), name
