"""The node scripts: linted, and their functions run against another machine's files (DLWS_ROOT)."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent / "scripts"
LIBRARY = SCRIPTS / "lib"
ALL = sorted([*SCRIPTS.glob("*.sh"), *LIBRARY.glob("*.sh")])
NODE_SCRIPTS = [
    "disable_kernel_auto_updates.sh",
    "disable_mlocate.sh",
    "dns.sh",
    "docker_network_gc_setup.sh",
    "install_nfs.sh",
    "prepare_ubuntu.sh",
    "prepare_ubuntu_dev.sh",
    "prepare_vm_disk.sh",
]
Done = subprocess.CompletedProcess[str]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Another machine's files: a Debian 12 without any devices."""
    machine = tmp_path / "a machine's root"
    for folder in ("etc/apt", "proc/sys/net/ipv4", "sys/bus/pci/devices", "usr/bin"):
        (machine / folder).mkdir(parents=True)
    (machine / "etc/os-release").write_text(
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_CODENAME=bookworm\n'
    )
    (machine / "proc/swaps").write_text("Filename\tType\tSize\tUsed\tPriority\n")
    return machine


def bash(text: str, root: Path, *args: str, container: bool = False, **env: Any) -> Done:
    """Run a snippet with every library sourced and its arguments as $1, $2, ..."""
    head = "set -euo pipefail\n" + "".join(
        f'. "{LIBRARY}/{name}.sh"\n'
        for name in ("common", "packages", "mirror", "swap", "devices", "disks", "resolver")
    )
    facts = {"DLWS_ROOT": str(root), "DLWS_CONTAINER": "yes" if container else "no", **env}
    clean = {key: value for key, value in os.environ.items() if not key.startswith("DLWS_")}
    return subprocess.run(
        ["bash", "-c", head + text, "dlws", *args],
        env={**clean, **facts},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_shell_is_clean(path: Path) -> None:
    assert shutil.which("shellcheck"), "install shellcheck (apt-get install shellcheck)"
    words = ["shellcheck", "-x", "-P", str(SCRIPTS.parent), str(path)]
    done = subprocess.run(words, cwd=SCRIPTS.parent, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


@pytest.mark.parametrize("name", NODE_SCRIPTS)
def test_header_says_what_it_changes_and_names_its_files(name: str) -> None:
    path = SCRIPTS / name
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    header = "\n".join(lines[:20])
    assert re.search(r"^# .*Changes: ", header, re.MULTILINE)
    files = re.search(r"^# dlws-files: (.*)$", header, re.MULTILINE)
    named = files[1].split() if files else []
    sourced = re.findall(r'^\. "\$here/(.*)"$', path.read_text(), re.MULTILINE)
    assert set(sourced) <= set(named)
    assert all((SCRIPTS / file).exists() for file in sourced)
    assert os.access(path, os.X_OK)


def test_no_package_host_is_written_into_a_script() -> None:
    hosts = r"https?://[a-z0-9-]+\.[a-z]"
    for path in ALL:
        if path.name.startswith(("prepare", "disable", "install_nfs", "dns")) or "lib" in str(path):
            assert not re.findall(hosts, path.read_text()), path


@pytest.mark.parametrize(
    ("have", "minimum", "enough"),
    [
        ("430", "430", True),
        ("430.40", "430", True),
        ("440.33.01", "430", True),
        ("418.87.00", "430", False),
        ("1000.1", "430", True),
        ("43", "430", False),
        ("0430", "430", True),
        ("1.72.T2.100.B020", "1.72.T2.100.B020", True),
        ("1.72.T2.100.B021", "1.72.T2.100.B020", True),
        ("1.72.t2.100.b020", "1.72.T2.100.B020", True),
        ("1.72.T2.100.B19", "1.72.T2.100.B020", False),
        ("1.72.T10.100.B001", "1.72.T2.100.B020", True),
        ("1.72.T2.99.B020", "1.72.T2.100.B020", False),
        ("1.71.T9.900.B999", "1.72.T2.100.B020", False),
        ("1.73.5.0.b050", "1.72.T2.100.B020", True),
        ("20.1.0", "1.72.T2.100.B020", True),
        ("21.0.rc1", "1.72.T2.100.B020", True),
        ("23.0.rc1", "23.0.0", False),
        ("23.0.0", "23.0.rc1", True),
        ("1.9", "1.10", False),
        ("08.09", "8.9", True),
    ],
)
def test_versions_compare_by_value(tmp_path: Path, have: str, minimum: str, enough: bool) -> None:
    done = bash('version_at_least "$1" "$2" && echo yes || echo no', tmp_path, have, minimum)
    assert (done.stdout, done.stderr) == ("yes\n" if enough else "no\n", "")


FSTAB = """# /etc/fstab: static file system information.
UUID=1-2 / ext4 errors=remount-ro 0 1
/swapfile none swap sw 0 0
  /dev/sda2\tswap\tswap\tdefaults 0 0
#/old none swap sw 0 0
server:/swap /mnt/swap nfs defaults 0 0
"""


def test_swap_leaves_fstab_for_good(root: Path) -> None:
    fstab = root / "etc/fstab"
    fstab.write_text(FSTAB)
    fstab.chmod(0o664)
    first = bash("swap_off; finish", root)
    assert first.stdout == f"changed: wrote {fstab}\n"
    text = fstab.read_text()
    assert text.count("# off for Kubernetes: ") == 2
    assert [line for line in text.splitlines() if not line.startswith("#")] == [
        "UUID=1-2 / ext4 errors=remount-ro 0 1",
        "server:/swap /mnt/swap nfs defaults 0 0",
    ]
    assert fstab.stat().st_mode & 0o777 == 0o664
    assert bash("swap_off; finish", root).stdout == "nothing to do\n"
    assert fstab.read_text() == text


def test_swap_of_the_azure_agent(root: Path) -> None:
    conf = root / "etc/waagent.conf"
    conf.write_text("ResourceDisk.Format=y\nResourceDisk.EnableSwap=y\n")
    bash("swap_off", root)
    assert conf.read_text() == "ResourceDisk.Format=y\nResourceDisk.EnableSwap=n\n"


def test_swap_in_use(root: Path) -> None:
    (root / "proc/swaps").write_text("Filename\n/dev/zram0 partition 1 0 100\n")
    assert "left alone" in bash("swap_off", root, container=True).stdout
    stub = f'swapoff() {{ echo Filename >"{root}/proc/swaps"; }}; swap_off; finish'
    assert bash(stub, root).stdout == "changed: swap is off\n"
    (root / "proc/swaps").write_text("Filename\n/dev/zram0 partition 1 0 100\n")
    done = bash("swapoff() { :; }; swap_off", root)
    assert done.returncode == 1
    assert "/dev/zram0" in done.stderr


UNITS = """
systemctl() {
    echo "$*" >>"$DLWS_ROOT/asked"
    case $1 in
        list-units) echo 'dev-zram0.swap loaded active active /dev/zram0' ;;
        cat) [ "$2" = zramswap.service ] ;;
        is-enabled) cat "$DLWS_ROOT/state-$2" 2>/dev/null || return 1 ;;
        mask) echo masked >"$DLWS_ROOT/state-${*: -1}" ;;
    esac
}
"""


def test_swap_units_are_masked_once(root: Path) -> None:
    (root / "run/systemd/system").mkdir(parents=True)
    first = bash(UNITS + "swap_off; finish", root)
    assert first.stdout == "changed: masked dev-zram0.swap\nchanged: masked zramswap.service\n"
    assert bash(UNITS + "swap_off; finish", root).stdout == "nothing to do\n"


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


ONE_LINE = """# deb http://deb.debian.org/debian old main
deb [arch=amd64 signed-by=/k.gpg] http://deb.debian.org/debian bookworm main
deb-src http://archive.ubuntu.com/ubuntu/ jammy main
deb http://security.debian.org/debian-security bookworm-security main
deb https://ppa.launchpadcontent.net/a/b/ubuntu jammy main
deb https://download.docker.com/linux/debian bookworm stable
"""
DEB822 = """Types: deb
# URIs: http://deb.debian.org/debian
URIs: http://deb.debian.org/debian http://other.example/debian/
Suites: bookworm
"""


def test_only_the_distributions_own_archives_move_to_the_mirror(root: Path) -> None:
    one, two = root / "etc/apt/sources.list", root / "etc/apt/sources.list.d/debian.sources"
    two.parent.mkdir()
    one.write_text(ONE_LINE)
    two.write_text(DEB822)
    text = "apt_update() { say update; }; use_mirror; finish"
    done = bash(text, root, DLWS_APT_MIRROR=r"http:\/\/mirror.example:8080")
    assert done.stdout.count("changed:") == 2
    new = "http://mirror.example:8080/debian"
    lines = ONE_LINE.splitlines()
    assert one.read_text().splitlines() == [
        lines[0],
        f"deb [arch=amd64 signed-by=/k.gpg] {new} bookworm main",
        f"deb-src {new} jammy main",
        *lines[3:],
    ]
    assert f"\nURIs: {new} {new}\n" in two.read_text()
    assert DEB822.splitlines()[1] in two.read_text()
    again = bash(text, root, DLWS_APT_MIRROR="http://mirror.example:8080/debian/")
    assert again.stdout == "nothing to do\n"
    assert bash(text, root).stdout == "nothing to do\n"


def test_a_mirror_that_does_not_work_is_taken_back(root: Path) -> None:
    sources = root / "etc/apt/sources.list"
    sources.write_text(ONE_LINE)
    text = "apt_update() { return 1; }; use_mirror"
    done = bash(text, root, DLWS_APT_MIRROR="http://m.example")
    assert done.returncode == 1
    assert sources.read_text() == ONE_LINE


@pytest.mark.parametrize("value", ["mirror", "http://a b", "http://x/$(id)", "ftp://x", "http://"])
def test_a_mirror_that_is_no_address(root: Path, value: str) -> None:
    done = bash("use_mirror", root, DLWS_APT_MIRROR=value)
    assert done.returncode == 1
    assert "apt_mirror_url" in done.stderr


def test_apt_waits_for_its_lock(root: Path) -> None:
    text = """
sleep() { :; }
apt-get() {
    echo x >>"$DLWS_ROOT/tries"
    if [ "$(wc -l <"$DLWS_ROOT/tries")" -lt 3 ]; then
        echo 'E: Could not get lock /var/lib/dpkg/lock-frontend' >&2; return 100
    fi
}
apt_get install x
"""
    assert bash(text, root).returncode == 0
    assert (root / "tries").read_text() == "x\n" * 3
    failing = "apt-get() { echo 'E: Unable to locate package x'; return 100; }; apt_get install x"
    done = bash(failing, root)
    assert (done.returncode, done.stderr) == (100, "E: Unable to locate package x\n")


def test_only_missing_packages_are_installed(root: Path) -> None:
    text = """
package_installed() { [[ " bash containerd.io " == *" $1 "* ]]; }
package_available() { [ "$1" != docker.io ]; }
install_from_bundle() { return 1; }
apt_update_once() { :; }
apt_get() { say "apt $*"; }
install_packages bash 'containerd|containerd.io'
finish
install_packages bash 'docker.io|docker-ce' socat
"""
    assert bash(text, root).stdout.splitlines() == [
        "nothing to do",
        "apt install --no-install-recommends docker-ce socat",
        "changed: installed docker-ce socat",
    ]


@pytest.mark.skipif(not shutil.which("apt-get"), reason="needs a Debian or Ubuntu machine")
def test_the_bundle_is_an_apt_source(root: Path, tmp_path: Path) -> None:
    debs = tmp_path / "bundle/packages/bookworm"
    debs.mkdir(parents=True)
    for name, needs in (("dlws-test-a", "dlws-test-b"), ("dlws-test-b", "bash")):
        control = tmp_path / name / "DEBIAN/control"
        control.parent.mkdir(parents=True)
        control.write_text(
            f"Package: {name}\nVersion: 1:1.0\nArchitecture: all\nMaintainer: a <a@example.com>\n"
            f"Depends: {needs}\nDescription: a test\n"
        )
        words = ["dpkg-deb", "-b", str(tmp_path / name), str(debs / f"{name}_1.0_all.deb")]
        subprocess.run(words, check=True, capture_output=True)
    text = """
apt-get() {
    if [[ " $* " == *" update "* ]]; then command apt-get "$@"; else command apt-get -s "$@"; fi
}
if install_from_bundle "$@"; then echo installed; else echo fell back; fi
"""
    facts: dict[str, Any] = {"DLWS_BUNDLE": str(tmp_path / "bundle")}
    done = bash(text, root, "dlws-test-a", **facts)
    assert (done.stdout, done.stderr) == ("installed\n", "")
    assert bash(text, root, "dlws-test-a", "not-there", **facts).stdout == "fell back\n"
    assert bash(text, root, "dlws-test-a").stdout == "fell back\n"


def test_files_are_written_only_when_they_differ(root: Path) -> None:
    path = root / "etc/x y"
    text = 'write_file "$1" 0640 <<<"$2"; finish'
    assert bash(text, root, str(path), "a\n$(id)").stdout == f"changed: wrote {path}\n"
    assert path.read_text() == "a\n$(id)\n"
    assert path.stat().st_mode & 0o777 == 0o640
    assert bash(text, root, str(path), "a\n$(id)").stdout == "nothing to do\n"
    path.chmod(0o600)
    assert "mode of" in bash(text, root, str(path), "a\n$(id)").stdout
    assert sorted(os.listdir(path.parent)) == ["apt", "os-release", "x y"]


def test_a_failed_edit_leaves_the_file(root: Path) -> None:
    path = root / "etc/fstab"
    path.write_text("x\n")
    done = bash('edit_file "$1" false; echo on', root, str(path))
    assert (done.returncode, done.stdout, path.read_text()) == (1, "", "x\n")
    assert len(list(path.parent.glob("fstab*"))) == 1


def test_sysctls_are_kept_and_applied(root: Path) -> None:
    forward = root / "proc/sys/net/ipv4/ip_forward"
    forward.write_text("0\n")
    text = "sysctl_file 90-x.conf <<<$1; finish"
    lines = "# why\nnet.ipv4.ip_forward = 1\nnet.nothing.here = 5"
    done = bash(text, root, lines)
    assert forward.read_text() == "1\n"
    assert (root / "etc/sysctl.d/90-x.conf").read_text() == f"{lines}\n"
    assert "net.ipv4.ip_forward = 1 (was 0)" in done.stdout
    assert bash(text, root, lines).stdout.endswith("nothing to do\n")


def test_root_is_asked_of_sudo_with_the_facts(root: Path, tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    (bin_ / "sudo").write_text('#!/bin/bash\n[ "$2" = true ] || printf "[%s]\\n" "$@"\n')
    (bin_ / "id").write_text("#!/bin/sh\n[ $1 = -u ] && echo 1000 || echo somebody\n")
    for stub in bin_.iterdir():
        stub.chmod(0o755)
    env: dict[str, Any] = {"PATH": f"{bin_}:{os.environ['PATH']}", "DLWS_NODE": "a b'$(id)"}
    done = bash('need_root "$@"; echo not reached', root, "x y", "$(id)", **env)
    assert "[DLWS_NODE=a b'$(id)]" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["[x y]", "[$(id)]"]
    (bin_ / "sudo").write_text("#!/bin/sh\nexit 1\n")
    done = bash("need_root; echo not reached", root, **env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--sudo" in done.stderr


UPDATEDB = 'PRUNE_BIND_MOUNTS="yes"\nPRUNEPATHS="/tmp /var/spool"\n# PRUNENAMES=".git"\n'


def test_updatedb_leaves_shared_storage_out(root: Path) -> None:
    conf = root / "etc/updatedb.conf"
    conf.write_text(UPDATEDB)
    job = root / "etc/cron.daily/mlocate"
    job.parent.mkdir()
    job.write_text("#!/bin/sh\n")
    job.chmod(0o755)
    env = {**os.environ, "DLWS_ROOT": str(root)}
    words = ["bash", str(SCRIPTS / "disable_mlocate.sh")]
    if os.getuid() != 0:
        pytest.skip("needs root")
    first = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert first.stdout.count("changed:") == 2
    text = conf.read_text()
    assert 'PRUNEPATHS = "/tmp /var/spool /mnt ' in text
    assert "/var/lib/kubelet" in text
    assert re.search(r'^PRUNEFS = "nfs ', text, re.MULTILINE)
    assert text.startswith('PRUNE_BIND_MOUNTS="yes"\n')
    again = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    assert again.stdout == "nothing to do\n"
    assert conf.read_text() == text


@pytest.fixture
def name_server() -> Iterator[SimpleNamespace]:
    """A DNS server on 127.0.0.1 that answers each question with a code of our choice."""
    server = SimpleNamespace(code=0, questions=[])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        server.port = udp.getsockname()[1]

        def answer() -> None:
            while True:
                question, sender = udp.recvfrom(512)
                if not question:
                    return
                server.questions.append(question)
                if server.code is not None:
                    head = question[:2] + b"\x81" + bytes([0x80 | server.code])
                    udp.sendto(head + question[4:], sender)

        thread = threading.Thread(target=answer)
        thread.start()
        yield server
        udp.sendto(b"", udp.getsockname())
        thread.join()


@pytest.mark.parametrize(("code", "usable"), [(0, 0), (3, 0), (2, 1), (5, 1), (None, 1)])
def test_name_servers_are_asked(
    root: Path, name_server: SimpleNamespace, code: int | None, usable: int
) -> None:
    name_server.code = code
    done = bash('answers 127.0.0.1 a.example.com "$1"', root, str(name_server.port))
    assert done.returncode == usable
    assert name_server.questions[0][12:] == b"\1a\7example\3com\0\0\1\0\1"


RESOLV = "# made by hand\noptions ndots:2\nsearch old.example\nnameserver 10.0.0.9\n"
GOOD = "answers() { [ $1 != 10.0.0.3 ]; }; known_name() { echo x.example; }; getent() { :; }\n"
BROKEN = GOOD.replace("getent() { :; }", "getent() { false; }")
SET = 'uses_resolved() { false; }; uses_resolvconf() { false; }\nset_resolver "$@"; finish'


def test_resolv_conf_gets_the_clusters_servers_first(root: Path) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    words = ("sigsus.cn", "10.0.0.1", "10.0.0.2", "10.0.0.3")
    done = bash(GOOD + SET, root, *words)
    assert "10.0.0.3 does not answer" in done.stderr
    assert path.read_text() == (
        "# made by hand\noptions ndots:2\nsearch sigsus.cn old.example\n"
        "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.9\n"
    )
    assert (root / "etc/resolv.conf.dlws-before").read_text() == RESOLV
    assert bash(GOOD + SET, root, *words).stdout == "nothing to do\n"


def test_without_servers_only_the_search_domain(root: Path) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    assert bash(GOOD + SET, root, "").stdout == "nothing to do\n"
    assert bash(GOOD + SET, root, "sigsus.cn").returncode == 0
    assert path.read_text() == RESOLV.replace("search", "search sigsus.cn")


@pytest.mark.parametrize("text", [BROKEN, GOOD.replace("[ $1 != 10.0.0.3 ]", "false")])
def test_a_name_service_that_works_is_kept(root: Path, text: str) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    done = bash(text + SET, root, "sigsus.cn", "10.0.0.1")
    assert done.returncode == 1
    assert path.read_text() == RESOLV


@pytest.mark.parametrize("value", ["10.0.0.1; reboot", "$(id)", "a b", "8.8.8"])
def test_what_is_no_name_server(root: Path, value: str) -> None:
    path = root / "etc/resolv.conf"
    path.write_text(RESOLV)
    done = bash(SET, root, "sigsus.cn", value)
    assert done.returncode == 1
    assert "dns_server" in done.stderr
    assert path.read_text() == RESOLV


def test_resolved_gets_a_drop_in(root: Path) -> None:
    stub = GOOD + 'systemctl() { say "systemctl $*"; }; uses_resolved() { :; }\n'
    text = stub + 'set_resolver "$@"; finish'
    done = bash(text, root, "sigsus.cn", "10.0.0.1", "10.0.0.2")
    dropin = root / "etc/systemd/resolved.conf.d/dlws.conf"
    assert dropin.read_text() == "[Resolve]\nDNS=10.0.0.1 10.0.0.2\nDomains=sigsus.cn\n"
    assert "systemctl restart systemd-resolved" in done.stdout
    assert bash(text, root, "sigsus.cn", "10.0.0.1", "10.0.0.2").stdout == "nothing to do\n"
    bad = bash(text.replace("getent() { :; }", "getent() { false; }"), root, "other.cn")
    assert bad.returncode == 1
    assert "Domains=sigsus.cn" in dropin.read_text()


@pytest.mark.parametrize("servers", ["", "10.0.0.1", "10.0.0.1 fd00::1", "$(touch pwned)\n*"])
@pytest.mark.parametrize("domain", ["sigsus.cn", "", "a'\nVALUES\n$(touch pwned)\n", 'x"y'])
def test_values_in_dns_are_data(tmp_path: Path, root: Path, domain: str, servers: str) -> None:
    text = (SCRIPTS / "dns.sh").read_text()
    body = text[text.index("read -r") : text.index("need_root")]
    call = text[text.index("set_resolver") : text.index("finish")]
    says = 'set_resolver() { printf "%s\\0" "$@"; }\n'
    done = bash(says + body + call, root, DLWS_DOMAIN=domain, DLWS_DNS_SERVERS=servers)
    assert done.stdout.split("\0") == [domain, *servers.split(), ""]
    assert not Path("pwned").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="the script needs root")
def test_dns_without_its_variables_does_nothing(root: Path) -> None:
    done = subprocess.run(
        ["bash", SCRIPTS / "dns.sh"],
        env={"PATH": os.environ["PATH"], "DLWS_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "nothing to do\n"), done.stderr


def loop_works() -> bool:
    if os.getuid() != 0 or not shutil.which("losetup"):
        return False
    return subprocess.run(["losetup", "-f"], capture_output=True, check=False).returncode == 0


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[str]:
    if not loop_works():
        pytest.skip("needs root and loop devices")
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(100 << 20)
    words = ["losetup", "-f", "--show", str(image)]
    device = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    yield device
    subprocess.run(["umount", "-q", str(tmp_path / "data")], check=False)
    subprocess.run(["losetup", "-d", device], check=True)


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


SIGNATURES = {
    "ext4": ["mkfs.ext4", "-q", "-F"],
    "swap": ["mkswap"],
    # One partition of type 83 in a DOS partition table.
    "partitions": [
        "sh",
        "-c",
        r"{ head -c 446 /dev/zero; printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\020\0\0';"
        r" head -c 48 /dev/zero; printf '\125\252'; } >$1",
        "x",
    ],
    "raw": ["sh", "-c", 'printf "no signature at all" >"$1"', "x"],
}


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
