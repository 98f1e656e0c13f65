"""Several disks as one file system. Functions stand in for LVM, which needs a device mapper."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.bash import Done, bash
from tests.support.loops import SIGNATURES, MakeDisk, run

TOOLS = """
calls=$DLWS_ROOT/calls group=$DLWS_ROOT/group
install_packages() { echo "packages $*" >>"$calls"; }
vgs() { [ -e "$group" ]; }
pvs() { ! grep -qxF "${!#}" "$group" || echo "$VOLUME_GROUP"; }
lvs() { [ -e "$DLWS_ROOT/volume" ]; }
vgcreate() { shift 2; printf '%s\\n' "$@" >"$group"; echo vgcreate >>"$calls"; }
lvcreate() {
    [ -z "${LVM_FAILS:-}" ] || return 5
    touch "$DLWS_ROOT/volume"
    echo "lvcreate ${*: -1}" >>"$calls"
}
DATA_VOLUME=$1
shift
use_disks "$@"
finish
"""


@pytest.fixture
def disks(make_disk: MakeDisk) -> list[str]:
    """Two empty disks, and what the logical volume of both would be."""
    return [make_disk(), make_disk(), make_disk()]


def use(root: Path, place: Path, disks: list[str], fails: str = "") -> Done:
    (root / "dev/mapper").mkdir(parents=True, exist_ok=True)
    if not (root / "dev/mapper/control").exists():
        (root / "dev/mapper/control").symlink_to("/dev/null")
    return bash(TOOLS, root, disks[2], str(place), *disks[:2], LVM_FAILS=fails)


def calls(root: Path) -> list[str]:
    path = root / "calls"
    return [line for line in path.read_text().splitlines() if "packages" not in line]


def test_empty_disks_become_one_file_system_once(
    root: Path, tmp_path: Path, disks: list[str]
) -> None:
    place = tmp_path / "data"
    try:
        first = use(root, place, disks)
        assert first.returncode == 0, first.stderr
        assert calls(root) == ["vgcreate", "lvcreate dlts-data-lvm"]
        assert place.is_mount() and (root / "group").read_text().split() == disks[:2]
    finally:
        run("umount", "-q", str(place))


@pytest.mark.parametrize("kind", ["ext4", "swap", "partitions"])
def test_if_one_carries_anything_none_is_changed(
    root: Path, tmp_path: Path, disks: list[str], kind: str
) -> None:
    run(*SIGNATURES[kind], disks[1])
    before = [Path(disk).read_bytes() for disk in disks]
    done = use(root, tmp_path / "data", disks)
    assert done.returncode == 1
    assert f"{disks[1]} is not empty" in done.stderr and "nothing was changed" in done.stderr
    assert calls(root) == [] and [Path(disk).read_bytes() for disk in disks] == before


def test_what_was_cut_off_is_carried_on(root: Path, tmp_path: Path, disks: list[str]) -> None:
    place = tmp_path / "data"
    assert use(root, place, disks, fails="yes").returncode != 0
    try:
        assert use(root, place, disks).returncode == 0
        assert calls(root) == ["vgcreate", "lvcreate dlts-data-lvm"]
    finally:
        run("umount", "-q", str(place))


def test_a_disk_beside_the_group_that_is_there_is_left_alone(
    root: Path, tmp_path: Path, disks: list[str]
) -> None:
    (root / "group").write_text(f"{disks[0]}\n")
    done = use(root, tmp_path / "data", disks)
    assert done.returncode == 1 and f"vgextend dlts-data-lvm {disks[1]}" in done.stderr
    assert calls(root) == []


def test_a_kernel_without_device_mapper_is_told_of_before_any_change(
    root: Path, tmp_path: Path, disks: list[str]
) -> None:
    done = bash(TOOLS, root, disks[2], str(tmp_path / "data"), *disks[:2])
    assert done.returncode == 1 and "no device mapper" in done.stderr
    assert not (root / "calls").exists() and not (root / "group").exists()
