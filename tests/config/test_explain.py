"""config.yaml.example: loads as it stands and with everything taken up, and has every key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.config.explain import all_keys
from dlws.config.reading.source import parse
from dlws.config.reading.sources import Sources
from dlws.config.reading.spelling import OLD
from tests.support import ROOT

EXAMPLE = ROOT / "config.yaml.example"


def taken_up() -> str:
    """The example with every setting that is commented out taken up."""
    lines = [line for line in EXAMPLE.read_text().splitlines() if not re.match(r"#( ?$| \S)", line)]
    return "\n".join(line.removeprefix("#") for line in lines) + "\n"


def test_it_loads_without_a_problem() -> None:
    config = from_text(EXAMPLE.read_text())
    assert list(config.warnings) == []
    assert len(config.machines) == 4


def test_it_loads_with_everything_taken_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in re.findall(r"env:(\w+_\w+)", taken_up()):
        monkeypatch.setenv(name, "x")
    for name in re.findall(r"file:(deploy/\S+)", taken_up()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
        (tmp_path / name).chmod(0o600)
    config = from_text(taken_up(), tmp_path)
    assert list(config.warnings) == []


def test_every_key_is_in_it() -> None:
    document = parse(taken_up().encode(), "config.yaml.example")
    written = Sources([document])
    names = {
        "machines": ["master01", "gpu01"],
        "mountpoints": ["nfsshare1"],
        "UserGroups": ["DLWSAdmins"],
        "sku_mapping": ["Standard_ND40rs_v2"],
        "registry_credential": ["registry.example.org"],
        "private_docker_credential": ["registry.example.org"],
    }
    missing = [
        key
        for key in all_keys()
        if key.split(".")[:2] != ["machines", "NAME"] or ".jump_host." not in key
        if not any(
            written.is_written(tuple(name if part == "NAME" else part for part in key.split(".")))
            for name in names.get(key.split(".")[0], [""])
        )
    ]
    assert missing == []


def test_every_key_of_older_configurations_is_named() -> None:
    words = set(re.split(r"[\s,]+", EXAMPLE.read_text()))
    assert sorted(set(OLD) - words) == []
