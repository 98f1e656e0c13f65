from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.bash import SCRIPTS, Done, bash
from tests.support.loops import SIGNATURES, MakeDisk


@pytest.fixture
def disk(make_disk: MakeDisk, tmp_path: Path) -> Iterator[str]:
    yield make_disk()
    subprocess.run(["umount", "-q", str(tmp_path / "data")], check=False)


def prepare(root: Path, *words: str) -> Done:
    return subprocess.run(
        ["bash", str(SCRIPTS / "prepare_vm_disk.sh"), *words],
        env={**os.environ, "DLWS_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_empty_disk_is_put_to_use_once(root: Path, tmp_path: Path, disk: str) -> None:
    words = ("--device", disk, "--mount", str(tmp_path / "data"))
    tmp = tmp_path / "data"
    (root / "etc/fstab").write_text("# mine\n")
    first = prepare(root, *words)
    assert first.returncode == 0, first.stderr
    assert first.stdout.count("changed:") == 3
    fstab = (root / "etc/fstab").read_text()
    assert re.search(rf"^UUID=\S+ {tmp} ext4 defaults,nofail 0 2$", fstab, re.MULTILINE)
    assert os.path.ismount(tmp)
    again = prepare(root, *words)
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert (root / "etc/fstab").read_text() == fstab
    subprocess.run(["umount", tmp], check=True)
    assert prepare(root, *words).stdout == f"changed: mounted {tmp}\n"


@pytest.mark.parametrize("kind", ["ext4", "swap", "partitions"])
def test_a_disk_with_a_signature_is_refused(
    root: Path, tmp_path: Path, disk: str, kind: str
) -> None:
    subprocess.run([*SIGNATURES[kind], disk], check=True, capture_output=True)
    before = Path(disk).read_bytes()
    done = prepare(root, "--device", disk, "--mount", str(tmp_path / "data"))
    assert done.returncode == 1
    assert f"{disk} is not empty" in done.stderr
    assert Path(disk).read_bytes() == before
    assert not (root / "etc/fstab").exists()


def choose(root: Path, *disks: str) -> Done:
    text = 'disks=$1; whole_disks() { printf "%s\\n" $disks; }; choose_disk; echo "=$CHOSEN"'
    return bash(text, root, " ".join(disks))


def test_a_directory_with_files_matters_where_there_is_a_disk_for_it(
    root: Path, tmp_path: Path, disk: str
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/share").write_text("years")
    text = 'whole_disks() { printf "%s\\n" $disks; }; labelled_disk() { :; }; use_disk "$1" ""'
    without = bash(text, root, str(tmp_path / "data"), disks="")
    assert without.returncode == 0 and "this node has no empty disk" in without.stdout
    done = bash(text, root, str(tmp_path / "data"), disks=disk)
    assert done.returncode == 1 and "would hide what is there" in done.stderr
    assert not Path(disk).read_bytes().strip(b"\0") and not (root / "etc/fstab").exists()


def test_the_empty_disk_is_found(root: Path, disk: str) -> None:
    assert choose(root, disk).stdout == f"={disk}\n"
    several = choose(root, disk, disk)
    assert several.returncode == 1
    assert f"--device {disk}" in several.stderr
    subprocess.run([*SIGNATURES["raw"], disk], check=True)
    assert "may hold raw data" in choose(root, disk).stdout
    subprocess.run([*SIGNATURES["ext4"], disk], check=True)
    done = choose(root, disk)
    assert (
        done.stdout == f"left alone: {disk} (carries ext4;carries something that blkid knows)\n=\n"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--device"],
        ["--device", "/dev/null"],
        ["--format"],
        ["--mount", "data"],
        ["--mount", "/a b"],
    ],
)
def test_prepare_vm_disk_refuses_nonsense(root: Path, words: list[str]) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root")
    done = prepare(root, *words)
    assert done.returncode == 1
    assert "cure:" in done.stderr
