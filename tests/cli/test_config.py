"""checkconfig, config schema and config explain, as a person runs them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from dlws.cli.config import checkconfig, config
from dlws.core.errors import UsageError
from dlws.runs.options import Options
from dlws.session import Session
from tests.support.configs import DATA


@dataclass
class Here:
    """A cluster's directory to run commands in."""

    directory: Path

    def write(self, text: str) -> None:
        (self.directory / "config.yaml").write_text(text)

    def run(self, command: click.Command, *words: str, strict: bool = False) -> Result:
        session = Session(Options(directory=self.directory, strict=strict))
        return CliRunner().invoke(command, words, obj=session)


@pytest.fixture
def here(tmp_path: Path) -> Here:
    (tmp_path / "config.yaml").write_bytes((DATA / "atlas.yaml").read_bytes())
    return Here(tmp_path)


def test_checkconfig_shows_nodes_by_role_and_no_secrets(here: Here) -> None:
    result = here.run(checkconfig)
    assert result.exit_code == 0
    assert "atlas: 4 nodes" in result.stdout
    assert "infrastructure     1  atlas02\n" in result.stdout
    assert "worker             3 (2 gpu, 1 npu)  atlas01 atlas-gpu01 atlas-gpu02\n" in result.stdout
    assert result.stdout.endswith("0 errors, 11 warnings\n")
    assert "config.yaml:87:1: warning: admin_username" in result.stderr
    assert "orchid" not in result.output


def test_checkconfig_fails_with_errors_and_with_warnings_when_strict(here: Here) -> None:
    assert here.run(checkconfig, strict=True).exit_code == 2
    here.write("cluster_name: c\nmachines: {a: {role: x}}\n")
    result = here.run(checkconfig)
    assert result.exit_code == 2
    assert result.stdout == "1 error, 0 warnings\n"


def test_checkconfig_as_json(here: Here) -> None:
    here.write("cluster_name: c\nmachines: {a: {role: infra}}\ncolour: red\n")
    answer = json.loads(here.run(checkconfig, "--output", "json").stdout)
    assert answer["ok"] is True
    assert answer["cluster"]["roles"] == {"infrastructure": ["a"]}
    assert answer["problems"] == [
        {
            "level": "warning", "file": "config.yaml", "line": 3, "column": 1, "path": "colour",
            "message": "colour: nothing knows this key",
            "cure": "Remove it, or see `deploy.py config explain`.",
        }
    ]  # fmt: skip


def test_explain_names_type_default_and_place(here: Here) -> None:
    assert here.run(config, "explain", "k8sAPIport").stdout == (
        "kubernetes.api_port: Port of the API server.\n"
        "  type: whole number\n  default: 6443\n  also written: k8sAPIport\n"
        "  set at: config.yaml:145:1\n"
    )


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("machines.atlas01.role", "set at: config.yaml:58:5"),
        ("scale_up.atlas01.private_ip", "set at: not set"),
        ("kubernetes.source", "type: one of packages, bundle"),
        ("sku_mapping.NC24.gpu_type", "sku_mapping.NC24.gpu_type: Label gpuType of its machines."),
        ("kubernetes.version", "type: text\n  default: 1.37.0"),
        ("mysql_password", "type: secret"),
        ("cluster_name", "default: none: it must be given"),
        ("jwt", "keys in it: secret_key, algorithm, token_ttl"),
        ("discoverserver", "older configurations (network)"),
        ("mountpoints", "type: map of name to section"),
        ("kubemarks", "default: rack, sku"),
    ],
)
def test_explain(here: Here, key: str, words: str) -> None:
    assert words in here.run(config, "explain", key).stdout


@pytest.mark.parametrize(
    ("key", "near"),
    [("kubernets.version", "kubernetes.version"), ("pod_cidr", "kubernetes.pod_cidr"),
     ("k8s-gitbranche", "k8s-gitbranch"), ("", ""), ("...", ""), ("jwt.secret_key.x", "")],
)  # fmt: skip
def test_explain_suggests(here: Here, key: str, near: str) -> None:
    result = here.run(config, "explain", key)
    assert isinstance(result.exception, UsageError)
    assert near in result.exception.cure


def test_explain_works_without_a_configuration(here: Here) -> None:
    (here.directory / "config.yaml").unlink()
    assert "set at: not set" in here.run(config, "explain", "jwt").stdout
    listed = here.run(config, "explain").stdout.splitlines()
    assert "machines.NAME.private-ip" in listed
    assert "machines.NAME.fqdn" not in listed
    assert json.loads(here.run(config, "explain", "jwt", "--output", "json").stdout)["key"] == "jwt"


def test_the_schema_describes_what_people_write(here: Here) -> None:
    schema = json.loads(here.run(config, "schema").stdout)
    machine = schema["$defs"]["Machine"]
    assert machine["required"] == ["role"]
    assert "private-ip" in machine["properties"] and "name" not in machine["properties"]
    assert schema["required"] == ["cluster_name"]
    version = schema["$defs"]["Kubernetes"]["properties"]["version"]
    assert (version["type"], version["default"]) == ("string", "1.37.0")
    assert {"scale_up", "k8s-gitbranch", "discoverserver", "UserGroups"} <= set(
        schema["properties"]
    )
    assert all(
        "description" in entry or "$ref" in entry
        for part in (schema, *schema["$defs"].values())
        for entry in part.get("properties", {}).values()
    )
