"""What a machine serves, and to whom."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.config.shares import Share, share_of
from dlws.core.errors import UsageError

BASE = """
cluster_name: atlas
network: {domain: example.org}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  nfs1: {role: nfs, private-ip: 10.1.0.2}
  w1: {role: worker, ib_ip: 10.2.0.3}
"""
ALL = ("10.1.0.1", "10.1.0.2", "w1.example.org", "10.2.0.3")


def share(more: str, name: str = "nfs1") -> Share | None:
    config = from_text(BASE + more, Path())
    return share_of(config, config.machines[name], {})


@pytest.mark.parametrize(("more", "path", "directories"), [
    ("nfs_disk_mnt: {nfs1: {path: /data, fileshares: [/data/a, /data/b]}}", "/data",
     ("/data/a", "/data/b")),
    ("nfs_disk_mnt: {nfs1.example.org: {path: /data}}", "/data", ("/data",)),
    ("nfs_disk_mnt: {nfs1: {fileshares: /data/a}}", "/data/a", ("/data/a",)),
    ("mountpoints: {s: {server: nfs1, filesharename: /mnt/local}}", "/mnt/local", ("/mnt/local",)),
    ("mountpoints: {s: {server: 10.1.0.2, filesharename: /mnt/local}}", "/mnt/local",
     ("/mnt/local",)),
    ("nfs_disk_mnt: {nfs1: {path: /d, fileshares: [/d/a]}}\n"
     "mountpoints: {s: {server: 'x,nfs1', filesharename: /d/a}, "
     "t: {server: nfs1, filesharename: /m}}",
     "/d", ("/d/a", "/m")),
])  # fmt: skip
def test_what_is_served(more: str, path: str, directories: tuple[str, ...]) -> None:
    assert share(more) == Share(path, directories, ALL)
    assert share(more, "infra01") is None


@pytest.mark.parametrize("more", [
    "", "mountpoints: {s: {type: glusterfs, server: nfs1, filesharename: /x}}",
    "mountpoints: {s: {server: nfs1}}",
])  # fmt: skip
def test_machines_that_serve_nothing(more: str) -> None:
    assert share(more) is None


ROOT = "nfs_disk_mnt: {nfs1: {path: /data}}\nnfs_root_access: infrastructure\n"


def test_root_of_the_infrastructure_alone_can_be_root_there() -> None:
    found = share(ROOT)
    assert found and found.trusted == ("10.1.0.1",) and found.clients == ALL[1:]
    found = share(f"{ROOT}nfs_client_CIDR: {{node_range: 10.0.0.0/8}}\n")
    assert found and found.trusted == ("10.1.0.1",) and found.clients == ("10.0.0.0/8",)


@pytest.mark.parametrize(("more", "old"), [
    ("", False), ("mountconfig: {nfs: {options: 'hard,vers=4.2'}}", False),
    ("mountconfig: {nfs: {options: 'hard,nfsvers=3'}}", True),
    ("mountconfig: {nfs: 'vers=3'}", True),
    ("mountpoints: {s: {server: nfs1, filesharename: /m, options: 'vers=3,soft'}}", True),
    ("mountpoints: {s: {type: cifs, server: nfs1, filesharename: /m, options: 'vers=3'}}", False),
])  # fmt: skip
def test_nfs_3_is_served_where_it_is_asked_for(more: str, old: bool) -> None:
    found = share(f"nfs_disk_mnt: {{nfs1: {{path: /data}}}}\n{more}")
    assert found and found.old is old


def test_to_whom() -> None:
    served = "nfs_disk_mnt: {nfs1: {path: /data}}\nnfs_client_CIDR: "
    found = share(f"{served}{{node_range: [10.0.0.0/8, 10.1.2.3/24], samba_range: 10.9.0.0/16}}")
    assert found and found.clients == ("10.0.0.0/8", "10.1.2.0/24", "10.9.0.0/16")
    with pytest.raises(UsageError, match="nfs_client_CIDR: '\\*' is not a network"):
        share(f"{served}{{node_range: ['*']}}")


def test_exports_keep_their_numbers_whatever_else_is_served() -> None:
    directories = tuple(f"/data/{number}" for number in range(2000))
    found = Share("", directories, ()).exports
    assert sorted(found.values()) == sorted(directories)
    assert min(found) >= 1 and max(found) <= 65535
    few = Share("", ("/data/b", "/data/a"), ()).exports
    assert few == Share("", ("/data/a", "/data/b"), ()).exports
    assert few.items() <= Share("", ("/data/a", "/data/c", "/data/b"), ()).exports.items()
