"""Several disks as one file system. Functions stand in for LVM, which needs a device mapper."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
if [ -n "${DLWS_DATA_DISKS:-}" ]; then use_data_disks "$1"; else use_disks "$@"; fi
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


DISKS = """
whole_disks() { printf '%s\\n' $DLWS_WHOLE; }
"""


def take(root: Path, place: Path, disks: list[str], wanted: str, **env: Any) -> Done:
    """Uses the disks of data-disk; the last one stands for the logical volume."""
    (root / "dev/mapper").mkdir(parents=True, exist_ok=True)
    if not (root / "dev/mapper/control").exists():
        (root / "dev/mapper/control").symlink_to("/dev/null")
    whole = " ".join(disks[:2])
    words: dict[str, Any] = {"DLWS_DATA_DISKS": wanted, "DLWS_WHOLE": whole, **env}
    return bash(DISKS + TOOLS, root, disks[2], str(place), **words)


@pytest.mark.parametrize("named", [True, False])
def test_the_disks_of_data_disk_become_one_file_system_once(
    root: Path, tmp_path: Path, disks: list[str], named: bool
) -> None:
    place = tmp_path / "data"
    wanted = " ".join(disks[:2]) if named else "/dev/l[o]op[0-9]+"
    try:
        asked = take(root, place, disks, wanted, DLWS_CHECK="1")
        assert asked.stdout == (
            f"differs: disk\t{disks[0]} {disks[1]}\t"
            f"is empty, and is to be the file system on {place}\n"
        )
        assert not (root / "calls").exists() and not place.exists()
        assert take(root, place, disks, wanted).returncode == 0
        assert calls(root) == ["vgcreate", "lvcreate dlts-data-lvm"]
        assert place.is_mount() and (root / "group").read_text().split() == disks[:2]
    finally:
        run("umount", "-q", str(place))


def test_a_single_disk_needs_no_group(root: Path, tmp_path: Path, disks: list[str]) -> None:
    place = tmp_path / "data"
    try:
        done = take(root, place, disks, disks[1])
        assert done.returncode == 0 and f"made an ext4 file system on {disks[1]}" in done.stdout
        assert place.is_mount() and not (root / "calls").exists()
        assert not Path(disks[0]).read_bytes().strip(b"\0")
    finally:
        run("umount", "-q", str(place))


@pytest.mark.parametrize("kind", ["ext4", "swap", "partitions", "raw"])
@pytest.mark.parametrize("check", ["1", ""])
def test_data_disk_with_anything_on_one_of_them_changes_none(
    root: Path, tmp_path: Path, disks: list[str], kind: str, check: str
) -> None:
    run(*SIGNATURES[kind], disks[1])
    before = [Path(disk).read_bytes() for disk in disks]
    done = take(root, tmp_path / "data", disks, " ".join(disks[:2]), DLWS_CHECK=check)
    words = f"{disks[1]} is one of data-disk and is not empty"
    assert done.returncode == (5 if check else 1)
    assert words in (done.stdout if check else done.stderr)
    assert not (root / "calls").exists() and [Path(disk).read_bytes() for disk in disks] == before


def test_what_is_in_use_is_left_alone(root: Path, tmp_path: Path, disks: list[str]) -> None:
    """The system may lie on a disk that a pattern matches."""
    system, place = tmp_path / "system", tmp_path / "data"
    system.mkdir()
    run(*SIGNATURES["ext4"], disks[0])
    run("mount", disks[0], str(system))
    try:
        done = take(root, place, disks, " ".join(disks[:2]))
        assert done.returncode == 0, done.stderr
        assert f"left alone: {disks[0]} (mounted on {system})" in done.stdout
        assert f"made an ext4 file system on {disks[1]}" in done.stdout
    finally:
        run("umount", "-q", str(place))
        run("umount", "-q", str(system))


def test_data_disk_that_no_disk_is_like_changes_nothing(
    root: Path, tmp_path: Path, disks: list[str]
) -> None:
    done = take(root, tmp_path / "data", disks, "/dev/loop /dev/none")
    assert done.returncode == 0 and "no empty disk of this node is one of data-disk" in done.stdout
    assert not any(Path(disk).read_bytes().strip(b"\0") for disk in disks)


def test_a_directory_with_files_is_not_hidden_by_data_disks(
    root: Path, tmp_path: Path, disks: list[str]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/share").write_text("years")
    for check, code in (("1", 5), ("", 1)):
        done = take(root, tmp_path / "data", disks, disks[0], DLWS_CHECK=check)
        assert done.returncode == code and "would hide what is there" in done.stdout + done.stderr
    assert not Path(disks[0]).read_bytes().strip(b"\0")
