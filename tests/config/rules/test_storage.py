"""Shares that no unit file could say, or that would get in each other's way."""

from __future__ import annotations

import pytest

from tests.support.configs import assert_problem, look, minimal

E = "type: emptyDir"
SPACES = "cannot be mounted"
NO_PATH = "no file of settings can hold"


@pytest.mark.parametrize(("shares", "words"), [
    ("{s: {type: emptyDir, curphysicalmountpoint: /}}", "would hide the system's own files"),
    ("{s: {type: emptyDir, curphysicalmountpoint: /usr/share}}", "would hide the system's"),
    ("{s: {type: emptyDir, curphysicalmountpoint: /a/../etc/x}}", "would hide the system's"),
    ('{s: {type: emptyDir, curphysicalmountpoint: "/a\\nWhat=/b"}}', NO_PATH),
    ('{s: {type: emptyDir, curphysicalmountpoint: "/a "}}', NO_PATH),
    ('{s: {type: emptyDir, curphysicalmountpoint: "/a\\\\"}}', SPACES),
    ('{s: {type: emptyDir, options: "a\\nb"}}', SPACES),
    ("{s: {type: emptyDir, mountpoints: [/x]}}", "is not a folder in the share"),
    ("{s: {type: emptyDir, mountpoints: [../x]}}", "is not a folder in the share"),
    ("{s: {type: emptyDir, mountpoints: [a], vc: ../x}}", "is no directory for the links"),
    ("{s: {type: emptyDir, vc: ..}}", "is no directory for the links"),
    ("{s: {type: emptyDir, curphysicalmountpoint: /m}, "
     "t: {type: emptyDir, curphysicalmountpoint: /m}}", "s is mounted on /m, too"),
    ("{s: {type: emptyDir, mountpoints: [x]}, t: {type: emptyDir, mountpoints: [y, x]}}",
     "would have the same links"),
    ("{s: {type: local, device: /dev/a, mountpoints: ''}, "
     "t: {type: local, device: /dev/b, mountpoints: ''}}", "another default share"),
    ("{s: {type: sshfs, server: m1, filesharename: x}}", "sshfs needs an absolute path"),
])  # fmt: skip
def test_what_is_refused(shares: str, words: str) -> None:
    assert_problem(f"mountpoints: {shares}", words)


@pytest.mark.parametrize("path", ["/a b/ü", "/50%", "/a\\\\b", "/$HOME", "/it's; x", "/home/share"])
def test_what_is_awkward_and_can_be_mounted(path: str) -> None:
    text = f'mountpoints: {{s: {{type: emptyDir, curphysicalmountpoint: "{path}"}}}}'
    assert look(minimal(text)).problems == []


@pytest.mark.parametrize(("more", "words"), [
    ("nfs_disk_mnt: {m1: {fileshares: [/data, /]}}", "/ is the system's own"),
    ("nfs_disk_mnt: {m1: {fileshares: /etc}}", "/etc is the system's own"),
    ("nfs_disk_mnt: {m1: {path: /a/../home/}}", "is the system's own"),
    ('nfs_disk_mnt: {m1: {fileshares: ["/data "]}}', "no file of settings can hold"),
    ('nfs_disk_mnt: {m1: {fileshares: ["/da\\nta"]}}', "no file of settings can hold"),
    ("mountpoints: {s: {type: nfs, server: m1, filesharename: /usr}}", "/usr is the system's own"),
    ("data-disk: sdb", "is no name of a device"), ("data-disk: '/dev/sd b'", "is no name of a"),
    ("data-disk: /dev/sd*", "is no pattern for file names"),
    ("data-disk: /dev/sd?", "is no pattern for file names"),
    ("data-disk: ['/dev/sd[b']", "is no regular expression"),
])  # fmt: skip
def test_what_is_not_served_and_what_is_no_disk(more: str, words: str) -> None:
    assert_problem(more, words)


@pytest.mark.parametrize("more", [
    "nfs_disk_mnt: {m1: {path: /home, fileshares: [/home/share]}}",
    """nfs_disk_mnt: {m1: {fileshares: "/d/a b#$H;'ü%"}}""",
    "mountpoints: {s: {type: nfs, server: 10.9.9.9, filesharename: /home}}",
    "data-disk: /dev/[sh]d[^a]", "data-disk: [/dev/sd.*, '/dev/nvme[1-9]n1', /dev/disk/by-id/x-1]",
])  # fmt: skip
def test_what_is_served_and_what_disks_are_for_data(more: str) -> None:
    assert look(minimal(more)).problems == []
