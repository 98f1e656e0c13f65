"""Node scripts with DLWS_CHECK=1: they name what differs, and change nothing whatever they find."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.bash import LIBRARY, NODE_SCRIPTS, SCRIPTS, bash

CHECK: dict[str, Any] = {"DLWS_CHECK": "1"}

UNITS = """systemd_runs() { :; }
systemctl() {
    case $1 in
        is-enabled) echo enabled ;;
        is-active) echo active ;;
        list-unit-files) printf '%s enabled enabled\\n' "${@:3}" ;;
    esac
}
"""


def tree(place: Path) -> str:
    """Everything below a place: names, kinds, modes, owners, times and contents."""
    digest = hashlib.sha256()
    for path in sorted(place.rglob("*")):
        stat = path.lstat()
        facts = (path, stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime_ns, stat.st_ino)
        digest.update(repr(facts).encode())
        if path.is_symlink():
            digest.update(os.readlink(path).encode())
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def differences(text: str, root: Path, *args: str, code: int = 0, **env: Any) -> list[str]:
    """The differences a snippet names; it must leave the machine as it is."""
    before = tree(root)
    done = bash(text, root, *args, **{**CHECK, **env})
    assert done.returncode == code, done.stdout + done.stderr
    assert tree(root) == before
    assert "changed:" not in done.stdout
    lines = [line for line in done.stdout.splitlines() if line.startswith("differs: ")]
    return [line.removeprefix("differs: ").replace(str(root), "") for line in lines]


def test_a_file(root: Path) -> None:
    write = 'write_file "$DLWS_ROOT/etc/deep/x" 0644 <<<"wanted"'
    assert differences(write, root) == ["file\t/etc/deep/x\tis missing"]
    bash(write, root)
    assert differences(write, root) == []
    path = root / "etc/deep/x"
    path.chmod(0o600)
    assert differences(write, root) == ["file\t/etc/deep/x\thas mode 600, not 644"]
    path.write_text("other\n")
    assert differences(write, root) == ["file\t/etc/deep/x\thas other content"]
    path.rename(root / "etc/y")
    path.symlink_to(root / "etc/y")
    assert differences(write, root) == ["file\t/etc/deep/x\thas other content"]


def test_an_edit(root: Path) -> None:
    path = root / "etc/x"
    path.write_text("a\n")
    assert differences('edit_file "$DLWS_ROOT/etc/x" sed s/b/c/', root) == []
    assert differences('edit_file "$DLWS_ROOT/etc/x" sed s/a/c/', root) == [
        "file\t/etc/x\thas other content"
    ]


def test_a_sysctl(root: Path) -> None:
    (root / "proc/sys/net/ipv4/ip_forward").write_text("0\n")
    apply = 'sysctl_file 90-x.conf <<<"net.ipv4.ip_forward = 1"'
    assert differences(apply, root) == [
        "file\t/etc/sysctl.d/90-x.conf\tis missing",
        "sysctl\tnet.ipv4.ip_forward\tis 0, not 1",
    ]
    (root / "etc/sysctl.d").mkdir()
    bash(apply, root)
    assert differences(apply, root) == []


def test_units(root: Path) -> None:
    assert differences(f"{UNITS}disable_units a.timer 'b\\x20c.timer'", root) == [
        "unit\ta.timer\tis enabled, active, not disabled",
        "unit\tb\\x20c.timer\tis enabled, active, not disabled",
    ]
    off = UNITS.replace("echo enabled", "echo disabled").replace("echo active", "false")
    off = off.replace("%s enabled", "%s disabled")
    assert differences(f"{off}disable_units a.timer", root) == []


def test_packages(root: Path) -> None:
    has = "package_installed() { [ $1 = containerd.io ]; }\n"
    assert differences(f"{has}install_packages 'containerd|containerd.io' ethtool", root) == [
        "package\tethtool\tis not installed"
    ]


def test_swap_in_use_and_in_fstab(root: Path) -> None:
    (root / "etc/fstab").write_text("UUID=1 / ext4 defaults 0 1\n/swap none swap sw 0 0\n")
    (root / "proc/swaps").write_text("Filename\n/swap file 1 0 -2\n")
    off = "systemd_runs() { false; }; swap_off"
    assert differences(off, root) == [
        "file\t/etc/fstab\thas other content",
        "swap\tswap\tis in use: /swap",
    ]


def test_the_apt_mirror(root: Path) -> None:
    (root / "etc/apt/sources.list").write_text("deb http://deb.debian.org/debian bookworm main\n")
    found = differences("use_mirror", root, DLWS_APT_MIRROR="http://mirror.example")
    url = "http://mirror.example/debian"
    assert found == [f"file\t/etc/apt/sources.list\tnames other archives than {url}"]


def test_name_servers(root: Path) -> None:
    (root / "etc/resolv.conf").write_text("nameserver 10.0.0.9\n")
    text = "uses_resolved() { false; }; uses_resolvconf() { false; }; answers() { :; }\n"
    assert differences(f'{text}set_resolver "$@"', root, "x.example", "10.0.0.1") == [
        "file\t/etc/resolv.conf\thas other content"
    ]
    for way, path in (
        ("resolved", "/etc/systemd/resolved.conf.d/dlws.conf"),
        ("resolvconf", "/etc/resolvconf/resolv.conf.d/head"),
    ):
        using = text.replace(f"uses_{way}() {{ false", f"uses_{way}() {{ :")
        found = differences(f'{using}set_resolver "$@"', root, "x.example", "10.0.0.1")
        assert found[0] == f"file\t{path}\tis missing"


def test_mounts(root: Path) -> None:
    fake = "blkid() { echo dlws-data; }; findmnt() { false; }\n"
    assert differences(f"{fake}keep_mount /data /dev/vdb", root) == [
        "mount\t/data\tof /dev/vdb has no line in fstab"
    ]
    theirs = fake.replace("dlws-data", "theirs")
    assert differences(f"{theirs}keep_mount /data /dev/vdb", root) == []
    (root / "etc/fstab").write_text("UUID=1-2 /data ext4 defaults,nofail 0 2\n")
    assert differences("mount_it /data", root) == [
        "mount\t/data\tstands in fstab and is not mounted"
    ]
    (root / "etc/fstab").write_text("nas:/x /data nfs noauto 0 0\n")
    assert differences("mount_it /data", root) == []
    assert differences(f"{fake}use_disk /data ''", root) == [
        "mount\t/data\tdlws-data, made for it, is not mounted"
    ]


def test_nouveau_and_a_reboot(root: Path) -> None:
    assert differences("blacklist_nouveau", root) == [
        "file\t/etc/modprobe.d/dlws-nouveau.conf\tis missing"
    ]
    assert differences("ask_reboot because", root, code=5) == ["state\treboot\tbecause"]


def test_what_a_script_refuses_is_a_difference_too(root: Path) -> None:
    text = 'x=$(die "no driver" "install\n\tone"); echo not reached'
    found = differences(text, root, code=5)
    assert [line.split("\t", 2)[2] for line in found] == ["no driver; cure: install  one"]


CHANGES = [
    *("apt-get update", "apt-mark hold x", "chmod 1 x", "chown a x", "cp a b", "install a b"),
    *("ln a b", "mkdir x", "mkfs.ext4 x", "mktemp", "mount x", "mv a b", "rm x", "rmdir x"),
    *("swapoff -a", "touch x", "umount x", "update-initramfs -u", "usermod x", "modprobe x"),
    *("systemctl start x", "systemctl daemon-reload", "systemctl mask x", "ctr images import x"),
    *("changed something", "resolvconf -u", "tee x", "dd if=x"),
]


@pytest.mark.parametrize("command", CHANGES)
def test_a_change_that_slipped_in_ends_the_script_before_it_happens(
    root: Path, command: str
) -> None:
    before = tree(root)
    done = bash(f"(set +e; {command} || true) || true; echo not reached", root, **CHECK)
    assert done.returncode == -15
    assert "check mode would have run: " in done.stderr and "not reached" not in done.stdout
    assert tree(root) == before


def test_every_command_of_the_scripts_that_changes_is_known() -> None:
    """Commands that a script runs only through functions that check mode knows."""
    common = (LIBRARY / "common.sh").read_text()
    known = set(re.search(r"DLWS_CHANGING=\((.*?)\)", common, re.DOTALL)[1].split())  # type: ignore[index]
    known |= {"systemctl", "modprobe", "apt-mark", "ctr"}
    changing = {
        *(
            "chattr",
            "chgrp",
            "chmod",
            "chown",
            "cp",
            "dd",
            "dpkg-reconfigure",
            "groupadd",
            "install",
        ),
        *("ln", "mkdir", "mkfs.ext4", "mkswap", "mktemp", "modprobe", "mount", "mv", "resolvconf"),
        *("rm", "rmdir", "rmmod", "setfacl", "swapoff", "swapon", "sysctl", "systemctl", "tee"),
        *("touch", "truncate", "umount", "unlink", "update-initramfs", "useradd", "usermod"),
        *("apt-get", "apt-mark", "ctr"),
    }
    names = [*NODE_SCRIPTS, "install_kubeadm.sh"]
    paths = [*(SCRIPTS / name for name in names), *LIBRARY.glob("*.sh")]
    used = set()
    for path in paths:
        for line in path.read_text().splitlines():
            code = line.split(" #")[0] if not line.lstrip().startswith("#") else ""
            words = re.findall(r"(?:^|[;&|({!]|then|else|do)\s*([a-z][\w.-]+)(?=\s|$)", code)
            used |= set(words) & changing
    assert "mktemp" in used and "systemctl" in used
    assert used <= known


@pytest.mark.parametrize("name", [*NODE_SCRIPTS, "install_kubeadm.sh"])
def test_redirections_go_where_check_mode_does_not(name: str) -> None:
    """What no function can catch: a script that writes by > itself."""
    code = re.sub(r"<<'?(\w+)'?\n.*?\n\1\n", "\n", (SCRIPTS / name).read_text(), flags=re.DOTALL)
    targets = re.findall(r"(?<![0-9&<-])>{1,2}\s*([^\s&;)|]+)", re.sub(r"#.*", "", code))
    assert [t for t in targets if t not in ("/dev/null",) and not t.startswith("(")] in (
        [],
        ['"$key"'],
    )


def test_a_whole_script_in_check_mode(root: Path) -> None:
    """As it runs on a node, but on another machine's files."""
    before = tree(root)
    done = subprocess.run(
        ["bash", SCRIPTS / "docker_network_gc_setup.sh"],
        env={**os.environ, "DLWS_ROOT": str(root), "DLWS_CONTAINER": "yes", **CHECK},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "differs: file\t" in done.stdout and "nothing to do" not in done.stdout
    assert tree(root) == before
