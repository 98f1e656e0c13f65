"""The volumes that machines of the cluster serve."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.config.volumes import volumes, volumes_of
from dlws.core.errors import UsageError

BASE = """
cluster_name: atlas
network: {domain: example.org}
glusterfs_bricks: /data/bricks
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: worker, private-ip: 10.1.0.11}
  w2: {role: worker, private-ip: 10.1.0.12}
  w3: {role: worker}
mountpoints:
  g: {type: glusterfs, server: SERVER, filesharename: NAME}
"""


def text(server: str, name: str = "/gv") -> str:
    return BASE.replace("SERVER", f'"{server}"').replace("NAME", name)


@pytest.mark.parametrize("server", ["w1 w2", "w1,10.1.0.12", "w1.example.org w2"])
def test_machines_by_name_or_address(server: str) -> None:
    config = from_text(text(server), Path())
    (found,) = volumes(config, {})
    assert (found.name, found.directory) == ("gv", "/data/bricks/gv")
    assert found.bricks == {"w1": "10.1.0.11", "w2": "10.1.0.12"}
    assert found.clients == ("10.1.0.1", "10.1.0.11", "10.1.0.12", "w3.example.org")
    assert [one.own for one in volumes_of(config, config.machines["w2"], {})] == ["10.1.0.12"]
    assert volumes_of(config, config.machines["infra01"], {}) == ()


def test_a_volume_of_others_is_theirs() -> None:
    assert volumes(from_text(text("nas1 nas2"), Path()), {}) == []


@pytest.mark.parametrize(("server", "name", "words"), [
    ("w1 nas", "gv", "by machines of the cluster and by others"), ("w1", "gv", "on 1 machines"),
    ("w1 w2", "a b", "no good name"), ("w1 w2", "-x", "no good name"),
    ("w1 w3", "gv", "w3 has no address"),
])  # fmt: skip
def test_what_cannot_be(server: str, name: str, words: str) -> None:
    config = from_text(text(server, name), Path())
    with pytest.raises(UsageError, match=words):
        volumes(config, {})
    assert volumes_of(config, config.machines["w1"], {}) == ()
