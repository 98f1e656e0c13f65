"""What nodes mount: by type, and the folders and links in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from dlws.config import Config, from_text
from dlws.config.mounts import Mount, incomplete, mounts_of

BASE = """
cluster_name: atlas
network: {domain: example.org}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  w1: {role: worker, private-ip: 10.1.0.11}
"""


def config(more: str) -> Config:
    return from_text(BASE + more, Path())


def mount(text: str, more: str = "", machine: str = "w1") -> Mount:
    """The one share of a node."""
    read = config(f"mountpoints:\n  s: {text}\n{more}")
    (found,) = mounts_of(read, read.machines[machine], {})
    return found


NET = "_netdev,nofail"
NFS = "hard,tcp,timeo=150,retrans=3,retry=0"
SMB = "vers=3.0,serverino,soft,dir_mode=0777,file_mode=0777"
KEYS = "credentials=/etc/dlws/mounts/s.credentials"


@pytest.mark.parametrize(("text", "what", "system", "options"), [
    ("{server: infra01, filesharename: /mnt/a b}", "infra01:/mnt/a b", "nfs", f"{NFS},{NET}"),
    ("{server: 'fd00::1', filesharename: /a}", "[fd00::1]:/a", "nfs", f"{NFS},{NET}"),
    ("{server: infra01, filesharename: /a, options: 'soft,timeo=9'}", "infra01:/a", "nfs",
     f"tcp,retrans=3,retry=0,soft,timeo=9,{NET}"),
    ("{type: azurefileshare, accountname: acc, accesskey: K, filesharename: f}",
     "//acc.file.core.windows.net/f", "cifs", f"{SMB},{NET},{KEYS}"),
    ("{type: cifs, server: nas, filesharename: a/b}", "//nas/a/b", "cifs", f"{SMB},{NET}"),
    ("{type: cifs, server: nas, filesharename: a, accesskey: K, options: file_mode=0600}",
     "//nas/a", "cifs",
     f"vers=3.0,serverino,soft,dir_mode=0777,file_mode=0600,{NET},{KEYS}"),
    ("{type: glusterfs, server: 'a b,c', filesharename: vol}", "a:/vol", "glusterfs",
     f"{NET},backup-volfile-servers=b:c"),
    ("{type: local, device: /dev/sdb1}", "/dev/sdb1", "auto", "nofail"),
    ("{type: localHDD, device: 'LABEL=my disk', options: noatime}",
     r"/dev/disk/by-label/my\x20disk", "auto", "nofail,noatime"),
    ("{type: local, device: UUID=1-2}", "/dev/disk/by-uuid/1-2", "auto", "nofail"),
    ("{type: local, filesharename: /srv/x/}", "/srv/x", "none", "bind,nofail"),
    ("{type: emptyDir}", "/var/lib/dlws/empty/s", "none", "bind,nofail"),
])  # fmt: skip
def test_by_type(text: str, what: str, system: str, options: str) -> None:
    found = mount(text)
    assert (found.what, found.file_system, found.options) == (what, system, options)
    assert found.remote is ("_netdev" in options) and found.where == "/mntdlws/s"
    assert "K" not in repr(found)


def test_sshfs_has_its_user_key_and_known_hosts() -> None:
    text = "{type: sshfs, server: nas, accountname: joe, accesskey: K, filesharename: /x}"
    found = mount(text)
    assert (found.what, found.file_system) == ("joe@nas:/x", "fuse.sshfs")
    words = found.options.split(",")
    assert {"reconnect", "ServerAliveInterval=15", "BatchMode=yes", "_netdev"} <= set(words)
    assert words[-1] == "IdentityFile=/etc/dlws/mounts/s.key"
    assert mount("{type: sshfs, server: a@b, filesharename: /x}").what == "a@b:/x"


def test_options_of_the_type_and_of_the_share() -> None:
    asked = "mountconfig: {nfs: {options: 'rsize=8192,timeo=14'}, cifs: {options: ro}}"
    found = mount("{server: infra01, filesharename: /a}", asked)
    assert found.options == f"hard,tcp,retrans=3,retry=0,rsize=8192,timeo=14,{NET}"
    text = "{type: azurefileshare, accountname: a, accesskey: K, filesharename: f}"
    assert ",ro,_netdev" in mount(text, asked).options
    own = "{server: infra01, filesharename: /a, options: ro}"
    assert "timeo=150" in mount(own, asked).options


def test_a_server_has_its_own_share_by_a_bind_mount_or_in_its_place() -> None:
    found = mount("{server: infra01, filesharename: /srv/a}", machine="infra01")
    assert (found.what, found.options, found.remote) == ("/srv/a", "bind,nofail", False)
    text = "{server: 10.1.0.1, filesharename: /a, curphysicalmountpoint: /a}"
    assert not mount(text, machine="infra01").mounted and mount(text).mounted


@pytest.mark.parametrize(("text", "more", "where"), [
    ("{type: emptyDir, curphysicalmountpoint: /m//n/}", "", "/m/n"),
    ("{type: emptyDir, mountsharename: q}", "physical-mount-path: /x", "/x/q"),
    ("{type: emptyDir, mountsharename: /q}", "", "/q"),
])  # fmt: skip
def test_where(text: str, more: str, where: str) -> None:
    assert mount(text, more).where == where


def links(more: str) -> dict[str, str]:
    read = config(more)
    found = mounts_of(read, read.machines["w1"], {})
    return {path: target for one in found for path, target in one.links}


def test_the_default_share_has_the_default_folders() -> None:
    text = "mountpoints: {s: {server: infra01, filesharename: /a, mountpoints: ''}, t: "
    found = links(text + "{server: infra01, filesharename: /b, mountpoints: [x, y/z]}}")
    assert found == {
        "/dlwsdata/jobfiles": "/mntdlws/s/jobfiles",
        "/dlwsdata/storage": "/mntdlws/s/storage",
        "/dlwsdata/work": "/mntdlws/s/work",
        "/dlwsdata/x": "/mntdlws/t/x",
        "/dlwsdata/y/z": "/mntdlws/t/y/z",
    }


def test_without_one_a_share_is_linked_as_a_whole_and_a_vc_has_its_own() -> None:
    found = links(
        "mountpoints: {a: {type: local, device: /dev/sdb}, b: {type: emptyDir}, "
        "c: {type: local, device: /dev/sdc}, d: {type: emptyDir, vc: v1, mountpoints: [x]}}"
    )
    assert found == {
        "/dlwsdata/a": "/mntdlws/a",
        "/dlwsdata/b": "/mntdlws/b",
        "/dlwsdata/c": "/mntdlws/c",
        "/dltsdata/v1/x": "/mntdlws/d/x",
    }


def test_no_link_leads_to_itself() -> None:
    assert links("mountpoints: {s: {type: emptyDir, curphysicalmountpoint: /dlwsdata/s}}") == {}


@pytest.mark.parametrize(("text", "words"), [
    ("{type: hdfs}", "do not mount hdfs"), ("{filesharename: /a}", "needs a server"),
    ("{server: infra01}", "not named"), ("{type: local}", "neither a device"),
    ("{type: azurefileshare, filesharename: f}", "the storage account and its key"),
])  # fmt: skip
def test_what_cannot_be_mounted_is_named_and_left_alone(text: str, words: str) -> None:
    read = config(f"mountpoints: {{s: {text}}}")
    ((name, why, cure),) = incomplete(read)
    assert name == "s" and words in why and cure
    assert mounts_of(read, read.machines["w1"], {}) == ()
    assert not list(incomplete(config(f"mountpoints: {{s: {text[:-1]}, autoshare: false}}}}")))


def test_a_share_that_nodes_leave_alone() -> None:
    read = config("mountpoints: {s: {type: emptyDir, autoshare: false}}")
    assert mounts_of(read, read.machines["w1"], {}) == ()
