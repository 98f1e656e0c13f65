"""What is made; without Azure, what would be."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dlws.cli.az import az
from tests.support.arm.configs import KEY, PLAIN


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(PLAIN)
    key = tmp_path / "deploy/sshkey/id_ed25519.pub"
    key.parent.mkdir(parents=True)
    key.write_text(f"{KEY}\n")
    return tmp_path


def ran(place: Path, *words: str) -> Result:
    return CliRunner().invoke(az, ["--dir", str(place), *words])


def test_a_dry_run_prints_the_template_without_the_network(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    done = ran(place, "create", "--dry-run")
    assert done.exit_code == 0, done.output
    template = json.loads(done.stdout)
    names = [one["name"] for one in template["resources"]]
    assert "atlas-worker02" in names and "Atlas-VNet" in names
    assert "would make Microsoft.Compute/virtualMachines atlas-infra01" in done.stderr
    assert "2 worker of size Standard_NC4as_T4_v3" in done.stderr
    assert not (place / "deploy/runs").exists()


def test_without_a_key_it_says_how_to_make_one(place: Path) -> None:
    (place / "deploy/sshkey/id_ed25519.pub").unlink()
    done = ran(place, "--dry-run", "create")
    assert done.exit_code == 2 and done.stderr.endswith(" build\n")


def test_without_the_section_there_is_nothing_to_make(place: Path) -> None:
    (place / "config.yaml").write_text("cluster_name: a\nmachines: {m: {role: infra}}\n")
    done = ran(place, "--dry-run", "create")
    assert done.exit_code == 2 and "config.yaml has no azure_cluster" in done.stderr


def test_the_older_file_of_the_azure_cluster_is_understood(place: Path) -> None:
    (place / "azure_cluster_config.yaml").write_text(
        "azure_cluster: {worker_vm_size: Standard_NC6}\n"
    )
    done = ran(place, "--dry-run", "create")
    assert "2 worker of size Standard_NC6" in done.stderr
