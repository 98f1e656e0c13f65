"""What a rehearsal mounts in the place of shares that its nodes cannot mount."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import from_text
from dlws.config.mounts import Mount, mounts_of

BASE = """
cluster_name: atlas
stand_in_shares: /common
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: worker, private-ip: 10.1.0.11}
"""


def mounts(text: str, machine: str = "w1") -> list[Mount]:
    read = from_text(f"{BASE}mountpoints:\n  s: {text}\n", Path())
    return list(mounts_of(read, read.machines[machine], {}))


@pytest.mark.parametrize(("text", "what"), [
    ("{server: infra01, filesharename: /mnt/a b}", "/common/nfs/infra01/mnt/a b"),
    ("{server: nas, filesharename: /a/../../etc}", "/common/nfs/nas/etc"),
    ("{type: azurefileshare, accountname: acc, accesskey: K, filesharename: f}",
     "/common/azurefileshare/acc/f"),
    ("{type: cifs, server: a/b, filesharename: ../../x}", "/common/cifs/a_b/x"),
    ("{type: glusterfs, server: 'far away', filesharename: v}", "/common/glusterfs/far away/v"),
    ("{type: sshfs, server: me@nas, filesharename: /x}", "/common/sshfs/me@nas/x"),
    ("{type: local, device: /dev/sdb1}", "/var/lib/dlws/stand-in-disks/s"),
])  # fmt: skip
def test_a_directory_stands_in_and_says_what_for(text: str, what: str) -> None:
    (found,) = mounts(text)
    assert (found.what, found.source, found.file_system) == (what, what, "none")
    assert not found.remote and found.secret is None and found.where == "/mntdlws/s"
    assert found.shown == f"{what}, a stand-in for {found.stands_for}" and found.stands_for


@pytest.mark.parametrize("text", [
    "{type: glusterfs, server: infra01 w1, filesharename: v}",
    "{type: sshfs, server: root@10.1.0.1, filesharename: /x}",
    "{type: local, filesharename: /srv/x}",
    "{type: emptyDir}",
])  # fmt: skip
def test_what_nodes_can_mount_is_mounted(text: str) -> None:
    (found,) = mounts(text)
    assert found.stands_for == "" and "stand-in" not in found.shown


def test_an_nfs_server_sees_it_where_it_serves_it_too() -> None:
    share = "server: infra01, filesharename: /mnt/a, curphysicalmountpoint: /mntdlws"
    served, mounted = mounts(f"{{{share}, mountpoints: [f]}}", "infra01")
    assert served.what == mounted.what == "/common/nfs/infra01/mnt/a"
    assert (served.where, served.folders, served.links) == ("/mnt/a", (), ())
    assert (mounted.where, mounted.folders) == ("/mntdlws", ("/mntdlws/f",))
    (alone,) = mounts("{server: infra01, filesharename: /d, curphysicalmountpoint: /d}", "infra01")
    assert alone.where == "/d" and alone.mounted


def test_without_a_rehearsal_nothing_stands_in() -> None:
    read = from_text(
        BASE.replace("stand_in_shares: /common\n", "")
        + "mountpoints: {s: {server: infra01, filesharename: /a}}\n",
        Path(),
    )
    (found,) = mounts_of(read, read.machines["w1"], {})
    assert found.what == "infra01:/a" and not found.stands_for
