from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.bash import bash


def add_device(root: Path, address: str, vendor: str, kind: str) -> None:
    device = root / "sys/bus/pci/devices" / address
    device.mkdir()
    (device / "vendor").write_text(f"{vendor}\n")
    (device / "class").write_text(f"{kind}\n")


NVRM = {
    "440.33.01": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  440.33.01  Tue Nov 12 23:43:11 "
    "UTC 2019\nGCC version:  gcc version 7.5.0 (Ubuntu 7.5.0-3ubuntu1~18.04)\n",
    "535.104.05": "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  535.104.05  Release "
    "Build  (dvs-builder@U16-T12-10-2)  Sat Aug 19 01:15:15 UTC 2023\nGCC version:  12.2.0\n",
    "418.87.00": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  418.87.00  Thu Aug  8 15:35:46 "
    "CDT 2019\n",
}

STUB_TOOLKIT = "install_container_toolkit() { say toolkit; }\nblacklist_nouveau() { :; }\n"


def drive(root: Path, version: str) -> None:
    (root / "proc/driver/nvidia").mkdir(parents=True)
    (root / "proc/driver/nvidia/version").write_text(NVRM[version])


def test_gpus_are_found_by_class(root: Path) -> None:
    add_device(root, "0000:00:01.0", "0x10de", "0x030200")
    add_device(root, "0000:00:02.0", "0x10de", "0x040300")
    add_device(root, "0000:00:03.0", "0x19e5", "0x120000")
    add_device(root, "0000:00:04.0", "0x19e5", "0x020000")
    add_device(root, "0000:00:05.0", "0x19e5", "0x030000")
    assert bash("nvidia_gpus", root).stdout == "0000:00:01.0\n"
    assert bash("huawei_npus", root).stdout == "0000:00:03.0\n"


@pytest.mark.parametrize("version", NVRM)
def test_nvidia_driver_version_is_read(root: Path, version: str) -> None:
    drive(root, version)
    assert bash("nvidia_driver_version", root).stdout == f"{version}\n"


def test_nvidia_smi_answers_where_the_module_does_not(root: Path) -> None:
    smi = "nvidia-smi() { echo 470.82.01; echo 470.82.01; }; nvidia_driver_version"
    assert bash(smi, root).stdout == "470.82.01\n"
    failing = (
        "nvidia-smi() { echo 'NVIDIA-SMI has failed because it could not communicate'; return 9; }"
    )
    assert bash(f"{failing}; nvidia_driver_version", root).stdout == ""


def test_a_good_gpu_node(root: Path) -> None:
    add_device(root, "0000:00:01.0", "0x10de", "0x030000")
    drive(root, "440.33.01")
    done = bash(STUB_TOOLKIT + "prepare_nvidia first", root, DLWS_TYPE="gpu")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == [
        "NVIDIA GPU driver 440.33.01 (at least 430 is needed)",
        "toolkit",
    ]


def test_an_old_or_missing_driver_fails_with_a_cure(root: Path) -> None:
    add_device(root, "0000:00:01.0", "0x10de", "0x030000")
    done = bash(STUB_TOOLKIT + "prepare_nvidia first", root)
    assert done.returncode == 1
    assert "no working driver" in done.stderr
    assert "cure: install a driver of 430 or newer" in done.stderr
    drive(root, "418.87.00")
    done = bash(STUB_TOOLKIT + "prepare_nvidia first", root)
    assert done.returncode == 1
    assert "418.87.00 is older than 430" in done.stderr


def test_nouveau_asks_for_one_reboot(root: Path) -> None:
    add_device(root, "0000:00:01.0", "0x10de", "0x030000")
    (root / "sys/module/nouveau").mkdir(parents=True)
    text = "update-initramfs() { :; }; install_container_toolkit() { :; }; prepare_nvidia"
    done = bash(f"{text} first", root)
    assert done.returncode == 194
    assert "reboot needed: nouveau is loaded" in done.stdout
    assert "blacklist nouveau" in (root / "etc/modprobe.d/dlws-nouveau.conf").read_text()
    done = bash(f"{text} continue", root)
    assert done.returncode == 1
    assert "still loaded after the reboot" in done.stderr


def test_secure_boot_is_told(root: Path) -> None:
    add_device(root, "0000:00:01.0", "0x10de", "0x030000")
    variables = root / "sys/firmware/efi/efivars"
    variables.mkdir(parents=True)
    (variables / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(b"\x06\0\0\0\1")
    assert "Secure Boot is on" in bash(STUB_TOOLKIT + "prepare_nvidia first", root).stderr
    (variables / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(b"\x06\0\0\0\0")
    assert "Secure Boot" not in bash(STUB_TOOLKIT + "prepare_nvidia first", root).stderr


def test_a_driver_is_installed_only_when_asked_for(root: Path) -> None:
    add_device(root, "0000:00:01.0", "0x10de", "0x030000")
    text = STUB_TOOLKIT + (
        'apt_update_once() { :; }; package_available() { :; }; install_packages() { say "+ $*"; }\n'
        "prepare_nvidia first"
    )
    assert "+ " not in bash(text, root).stdout
    done = bash(text, root, DLWS_DRIVER_PACKAGE="nvidia-driver-535-server")
    assert done.returncode == 194
    assert re.search(r"\+ linux-headers-\w+ nvidia-driver-535-server", done.stdout)


def test_a_device_that_is_not_there(root: Path) -> None:
    done = bash("prepare_nvidia first", root, DLWS_TYPE="gpu", DLWS_VENDOR="nvidia")
    assert done.returncode == 1
    assert "correct the node's type and vendor" in done.stderr
    done = bash("prepare_npu", root, DLWS_TYPE="npu", container=True)
    assert done.returncode == 0
    assert "a container has none" in done.stderr
    assert bash("prepare_nvidia first; prepare_npu", root, DLWS_TYPE="cpu").stdout == ""


def test_stand_ins_of_a_sandbox_have_no_driver_to_check(root: Path) -> None:
    for name in ("dev/nvidia0", "dev/nvidia1", "etc/dlws/stand-in-devices"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    done = bash("prepare_nvidia first", root, DLWS_TYPE="gpu", container=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "stand-ins of the sandbox for an NVIDIA GPU: nvidia0 nvidia1;" in done.stdout
    missing = bash("prepare_npu", root, DLWS_TYPE="npu", container=True)
    assert "a container has none" in missing.stderr


def test_npu_driver_and_runtime(root: Path) -> None:
    add_device(root, "0000:01:00.0", "0x19e5", "0x120000")
    assert "no working driver" in bash("prepare_npu", root).stderr
    info = root / "usr/local/Ascend/driver/version.info"
    info.parent.mkdir(parents=True)
    info.write_text("Version=1.72.T2.100.B010\nascendhal_version=4.0.0\n")
    assert "older than 1.72.T2.100.B020" in bash("prepare_npu", root).stderr
    info.write_text("Version=1.73.5.0.b050\nascendhal_version=4.0.0\n")
    assert "no Ascend Docker Runtime" in bash("prepare_npu", root).stderr
    binary = root / "usr/local/Ascend/Ascend-Docker-Runtime/ascend-docker-runtime"
    binary.parent.mkdir()
    binary.write_text("#!/bin/sh\n")
    binary.chmod(0o755)
    assert bash("prepare_npu", root).returncode == 0


NPU_SMI = """
npu-smi() {
cat <<'END'
+------------------------------------------------------------------------------------+
| npu-smi 1.72.T2.100.B020             Version: 1.72.T2.100.B020                      |
+----------------------+---------------+---------------------------------------------+
| NPU     Name         | Health        | Power(W)   Temp(C)                          |
END
}
"""


def test_npu_smi_answers_without_the_record(root: Path) -> None:
    assert bash(NPU_SMI + "npu_driver_version", root).stdout == "1.72.T2.100.B020\n"
