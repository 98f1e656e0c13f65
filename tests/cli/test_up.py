"""`steps`, with a configuration and without."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dlws.cli.root import cli
from dlws.cli.up import PLATFORMS
from dlws.install import step
from dlws.install.steps import platform_steps

AZURE = "cluster_name: c\nsupported_platform: [azure_cluster]\n"
ONPREMISE = "cluster_name: c\nmachines: {a: {role: infra, private-ip: 10.1.0.1}}\n"


def listed(directory: Path, *words: str, config: str = "") -> Result:
    if config:
        (directory / "config.yaml").write_text(config)
    return CliRunner().invoke(cli, ["--dir", str(directory), "steps", *words])


def names(result: Result) -> list[str]:
    assert result.exit_code == 0, result.stderr
    return [line.split()[1] for line in result.stdout.splitlines()]


def steps_of(platform: str) -> list[str]:
    return [each.name for each in platform_steps(platform)]


def test_the_command_knows_every_platform() -> None:
    assert PLATFORMS == step.PLATFORMS


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("config", ["", ONPREMISE])
def test_steps_lists_those_of_a_platform(tmp_path: Path, platform: str, config: str) -> None:
    assert names(listed(tmp_path, platform, config=config)) == steps_of(platform)


def test_steps_needs_no_configuration(tmp_path: Path) -> None:
    assert names(listed(tmp_path)) == steps_of("onpremise")
    assert names(listed(tmp_path / "missing")) == steps_of("onpremise")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("config", "platform"), [(AZURE, "azure"), (ONPREMISE, "onpremise")])
def test_steps_takes_the_platform_of_config_yaml(
    tmp_path: Path, config: str, platform: str
) -> None:
    assert names(listed(tmp_path, config=config)) == steps_of(platform)


def test_steps_shows_what_is_wrong_with_a_config_yaml(tmp_path: Path) -> None:
    result = listed(tmp_path, config="cluster_name: [\n")
    assert result.exit_code == 2 and "config.yaml:" in result.stderr
