"""The images' commands, as a person types them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dlws.cli.images import docker
from dlws.core.errors import DeployError, UsageError
from dlws.images.engine import Engine
from dlws.runs.options import Options
from dlws.session import Session

CONFIG = """cluster_name: atlas
dockers: {hub: apulistech/, tag: '1.9'}
dockerregistry: apulistech/
machines: {m: {role: infra, private-ip: 10.1.0.1}}
"""
PLATFORM = ["openresty", "gpu-reporter", "repairmanager2", "reaper",
            "prometheus-adapter"]  # fmt: skip


@pytest.fixture
def session(tmp_path: Path) -> Session:
    (tmp_path / "config.yaml").write_text(CONFIG)
    return Session(Options(directory=tmp_path))


@pytest.mark.parametrize("words", [["build"], ["push"], ["run"], ["list"]])
@pytest.mark.parametrize("name", PLATFORM)
def test_an_image_of_the_job_platform_has_no_context_yet(
    session: Session, words: list[str], name: str
) -> None:
    result = CliRunner().invoke(docker, [*words, name], obj=session)
    assert isinstance(result.exception, UsageError)
    assert result.exception.message.startswith(
        f"there is no context to build {name} from; looked in"
    )
    assert "docker_sources: [DIRECTORY]" in result.exception.cure


def test_what_is_pinned_by_its_digest_is_not_built(tmp_path: Path) -> None:
    pinned = f"docker.io/library/nginx@sha256:{'0' * 64}"
    text = CONFIG.replace("{hub:", f"{{external: {{nginx: '{pinned}'}}, hub:")
    (tmp_path / "config.yaml").write_text(text)
    session = Session(Options(directory=tmp_path))
    result = CliRunner().invoke(docker, ["push", "nginx"], obj=session)
    assert isinstance(result.exception, UsageError)
    assert result.exception.message == f"config.yaml pins what is to be built: nginx ({pinned})"


def test_running_what_is_not_built_names_the_line(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Engine, "architecture", "amd64")
    monkeypatch.setattr(Engine, "image", lambda engine, reference: None)
    result = CliRunner().invoke(docker, ["run", "nginx", "-v"], obj=session)
    assert isinstance(result.exception, DeployError)
    assert result.exception.message == "apulistech/atlas_nginx:1.9 is not built"
    assert result.exception.cure.endswith("docker build nginx")


def test_every_command_has_help() -> None:
    for name, command in docker.commands.items():
        assert command.get_help(click.Context(command)), name
