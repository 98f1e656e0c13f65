"""What is read from a node's answer, however odd it is, and what the script itself answers."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlws.check.collect import LIBRARIES
from dlws.check.facts import Device, Disk, Facts, Port, host_key, listener, parse
from dlws.core import resources
from tests.support import ROOT

GPU = (ROOT / "tests/check/data/gpu.txt").read_text()

EMPTY = Facts("w", "10.1.0.11")


def test_a_whole_answer() -> None:
    facts = parse(EMPTY, GPU, (1795328100.0, 1795328120.268))
    assert (facts.complete, facts.skew, facts.architecture) == (True, 6.5, "amd64")
    assert (facts.cores, facts.memory, facts.swap) == (128, 1056519432, ("/swap.img",))
    assert facts.disks == (Disk("/", 812345678, 1900000000),)
    assert facts.modules == {"overlay": "loaded", "br_netfilter": "available"}
    assert facts.host_keys == ("SHA256:ZkAslGjFiUHdGf/WUL8rQvkib4PTvQatUV0OUQSncCA",)
    assert facts.ports == {("infra01", 6443): Port("10.1.0.1", "refused")}
    assert facts.names["worker01.example.org"] == ("127.0.1.1",)
    assert facts.back["10.1.0.1"] == ("infra01.example.org", "infra01")
    assert facts.nvidia.enough and len(facts.nvidia.found) == 4
    assert facts.huawei == Device(minimum="1.72.T2.100.B020")
    assert facts.listens == {
        ("0.0.0.0", 22), ("127.0.0.53", 53), ("::", 22), ("127.0.0.1", 8080),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "answered", "skew"),
    [(6.0, 7.0, 119.768), (120.0, 130.0, 0.0), (127.768, 130.0, -1.0), (126.5, 126.7, 0.068)],
)
def test_a_slow_answer_is_no_wrong_clock(asked: float, answered: float, skew: float) -> None:
    since = 1795328000
    assert parse(EMPTY, GPU, (since + asked, since + answered)).skew == skew


def test_silence_is_nothing_known() -> None:
    assert parse(EMPTY, "") == EMPTY


@pytest.mark.parametrize("line", GPU.splitlines())
def test_any_line_may_be_missing(line: str) -> None:
    assert parse(EMPTY, GPU.replace(f"{line}\n", ""), (1.0, 2.0)) != EMPTY, "the rest is there"


@pytest.mark.parametrize("line", GPU.splitlines())
@pytest.mark.parametrize(
    "value", ["", "|", "||", "x|y|z", "-1", "1e9", "ü €", "$(x)", "9" * 99, "1|2|3|4"]
)
def test_any_value_may_be_garbage(line: str, value: str) -> None:
    key = line.partition("=")[0]
    found = parse(EMPTY, GPU.replace(line, f"{key}={value}"), (1.0, 2.0))
    assert found.complete or key == "end", "no value hides the other lines"


@given(st.text())
def test_garbage_around_it_does_no_harm(noise: str) -> None:
    assert parse(EMPTY, noise) is not None
    clean = noise.replace("=", "")
    assert parse(EMPTY, f"{clean}\n{GPU}{clean}", (1.0, 2.0)) == parse(EMPTY, GPU, (1.0, 2.0))


@pytest.mark.parametrize("text", ["", "ssh-rsa", "ssh-rsa !!!", "ssh-rsa ü", "a b c d"])
def test_what_is_no_host_key(text: str) -> None:
    assert host_key(text) in ("", host_key("x b==="))


@pytest.mark.parametrize("text", ["", ":", "0100007F", "0100007F:16", "zz00007F:0016", "01:0016"])
def test_what_is_no_listener(text: str) -> None:
    assert listener(text) is None


def library() -> str:
    return "\n".join((resources.root() / path).read_text() for path in LIBRARIES)


def ask(root: Path, calls: str, container: str = "no") -> str:
    """What the script says of another machine's files, behind the libraries as on a node."""
    env = {**os.environ, "DLWS_ROOT": str(root), "DLWS_CONTAINER": container}
    done = subprocess.run(
        ["bash", "-s"],
        input=f"{library()}\n{calls}\nwait\nfact end 1\n",
        env=env, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert done.stderr == ""
    return done.stdout


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with an NVIDIA GPU, an old driver and Secure Boot."""
    files = {
        "etc/os-release": 'ID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04"\n',
        "etc/machine-id": "abc\n",
        "etc/ssh/ssh_host_x_key.pub": "ssh-x a2V5 root@x\n",
        "etc/apt/sources.list": "# deb http://no/ x y\n"
        "deb [arch=amd64] http://u:p@127.0.0.1:9/u/ jammy main\n",
        "proc/meminfo": "MemTotal:       16384 kB\nMemFree: 1 kB\n",
        "proc/swaps": "Filename\n/dev/sda2 partition 1 0 -2\n",
        "proc/filesystems": "nodev\toverlay\n",
        "proc/net/tcp": "  sl  local\n 0: 0100007F:0016 0:0 0A 0\n 1: 0100007F:0017 0:0 01 0\n",
        "proc/driver/nvidia/version": "NVRM version: NVIDIA UNIX Kernel Module  418.87.00  x\n",
        "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
        "sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
        "sys/module/nouveau/x": "",
        "var/lib/x": "",
    }  # fmt: skip
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    secure = tmp_path / "sys/firmware/efi/efivars/SecureBoot-1"
    secure.parent.mkdir(parents=True)
    secure.write_bytes(b"\6\0\0\0\1")
    return tmp_path


def test_the_script_on_a_gpu_machine(root: Path) -> None:
    facts = parse(EMPTY, ask(root, ""))
    assert (facts.os_id, facts.os_version, facts.machine_id) == ("ubuntu", "22.04", "abc")
    assert (facts.memory, facts.swap) == (16384, ("/dev/sda2",))
    assert facts.listens == {("127.0.0.1", 22)}
    assert facts.modules == {"overlay": "loaded", "br_netfilter": "missing"}
    assert facts.nvidia == Device(("0000:01:00.0",), "418.87.00", "430", False)
    assert facts.nouveau and facts.secure_boot and not facts.ascend_runtime and facts.complete


def test_stand_ins_are_no_devices(root: Path) -> None:
    for name in ("dev/davinci0", "dev/davinci1", "dev/davinci_manager", "dev/nvidia0"):
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).touch()
    assert parse(EMPTY, ask(root, "")).huawei.stand_ins == ()
    (root / "etc/dlws").mkdir()
    (root / "etc/dlws/stand-in-devices").touch()
    facts = parse(EMPTY, ask(root, ""))
    assert (facts.huawei.stand_ins, facts.huawei.found) == (("davinci0", "davinci1"), ())
    assert (facts.nvidia.stand_ins, facts.nvidia.found) == (("nvidia0",), ("0000:01:00.0",))


@pytest.fixture
def server() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_open_refused_and_nameless(root: Path, server: int) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
        calls = f"ports a 127.0.0.1 {server} b 127.0.0.1 {closed}\nhosts no.invalid 443"
        facts = parse(EMPTY, ask(root, calls))
    assert {key: tried.verdict for key, tried in facts.ports.items()} == {
        ("a", server): "open", ("b", closed): "refused",
    }  # fmt: skip
    assert facts.hosts == {("no.invalid", 443): "unknown-name"}


def test_nothing_to_reach_is_nothing_said(root: Path) -> None:
    facts = parse(EMPTY, ask(root, "ports\nhosts\nnames\naddresses"))
    assert (facts.ports, facts.hosts, facts.names, facts.back) == ({}, {}, {}, {})


def test_words_are_data_on_the_node(root: Path) -> None:
    words = "'$(touch pwned)' '; touch pwned' \"'\""
    calls = f"names {words} localhost\nports {words}\naddresses {words}\nhosts {words} 22"
    facts = parse(EMPTY, ask(root, calls))
    assert "127.0.0.1" in facts.names["localhost"] or "::1" in facts.names["localhost"]
    assert not Path("pwned").exists()


def test_apt_sources_of_both_formats_without_passwords(root: Path) -> None:
    folder = root / "etc/apt/sources.list.d"
    folder.mkdir()
    (folder / "a.sources").write_text(
        "Types: deb deb-src\nURIs: http://127.0.0.1:9/a https://127.0.0.1:9/b/\n"
        "Suites: x x-updates\n"
        "Components: main\n\nTypes: deb\nURIs: http://off.invalid/\nSuites: y\nEnabled: no\n\n"
        "# Types: deb\nTypes: deb-src\nURIs: http://source.invalid/\nSuites: y\n"
    )
    text = ask(root, "mirrors")
    facts = parse(EMPTY, text)
    assert set(facts.mirrors) == {
        "http://127.0.0.1:9/u/ jammy", "http://127.0.0.1:9/a x", "http://127.0.0.1:9/a x-updates",
    }  # fmt: skip
    assert set(facts.mirrors.values()) == {"unreachable"}
    assert facts.hosts == {("127.0.0.1", 9): "refused"}
    assert "u:p" not in text


USER_DATA = "../../var/lib/cloud/instance/cloud-config.txt"


@pytest.mark.parametrize(("files", "managed"), [
    ({"cloud.cfg": "manage_etc_hosts: true\n"}, "files"),
    ({"cloud.cfg": "manage_etc_hosts: 'localhost' # x\n"}, "files"),
    ({"cloud.cfg.d/1.cfg": 'manage_etc_hosts: "yes"\n'}, "files"),
    ({"cloud.cfg": "# manage_etc_hosts: true\n"}, ""),
    ({"cloud.cfg": "manage_etc_hosts: on\n", "cloud.cfg.d/99-z.cfg": "manage_etc_hosts: off"}, ""),
    ({"cloud.cfg": "manage_etc_hosts: false\n", "cloud.cfg.d/99-z.cfg": "manage_etc_hosts: True\n"},
     "files"),
    ({"cloud.cfg.d/99-x.cfg": "manage_etc_hosts: false\n", USER_DATA: "manage_etc_hosts: true\n"},
     "user-data"),
    ({"cloud.cfg": "manage_etc_hosts: true\n", "cloud-init.disabled": ""}, ""),
    ({}, ""),
])  # fmt: skip
def test_what_others_left(root: Path, files: dict[str, str], managed: str) -> None:
    names = {f"etc/cloud/{name}": text for name, text in files.items()}
    names |= {"etc/cni/net.d/05-k3s.conf": "{}", "etc/cni/net.d/10-dlws.conflist": "{}"}
    names |= {"etc/cni/net.d/README": "", "etc/kubernetes/kubelet.conf": ""}
    for name, text in names.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    facts = parse(EMPTY, ask(root, ""))
    assert set(facts.cni) == {"05-k3s.conf", "10-dlws.conflist"}
    assert (facts.cloud_hosts, facts.member) == (managed, True)
    assert all(len(row) == 3 and row[0][0].isdigit() for row in facts.routes)


@pytest.mark.parametrize(("first", "who"), [
    ("# Generated by NetworkManager\n", "NetworkManager"),
    ("; generated by /usr/sbin/dhclient-script\n", "dhclient-script"),
    ("# Generated by dhcpcd from eth0.dhcp\n", "dhcpcd"),
    ("# resolv.conf(5) file for glibc resolver(3) generated by resolvconf(8)\n", "resolvconf(8)"),
    ("# generated by $(reboot)\n", ""), ("nameserver 10.0.0.1\n", ""),
])  # fmt: skip
def test_who_writes_the_name_servers(root: Path, first: str, who: str) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc/resolv.conf").write_text(f"{first}nameserver 10.0.0.2\n")
    assert parse(EMPTY, ask(root, "")).resolver == who


def test_places_that_keep_us_from_writing_and_running(root: Path, tmp_path: Path) -> None:
    lock = root / "var/lib/dpkg/lock-frontend"
    files = {
        "var/lib/dpkg/lock-frontend": "",
        "proc/mounts": "tmpfs /tmp tmpfs rw,nosuid,noexec 0 0\n/dev/a /var/tmp ext4 rw 0 0\n",
        "proc/812/comm": "unattended-upgr\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    held = f"1: POSIX  ADVISORY  WRITE 812 fe:01:{lock.stat().st_ino} 0 EOF\n"
    (root / "proc/locks").write_text(held)
    facts = parse(EMPTY, ask(root, ""))
    assert (facts.noexec, facts.apt) == (("/tmp",), "unattended-upgr|812")
    assert (facts.readonly, facts.quota) == ((), ())
    (root / "proc/locks").write_text("")
    assert parse(EMPTY, ask(root, "")).apt == ""


def test_the_script_is_clean() -> None:
    assert shutil.which("shellcheck"), "install shellcheck (apt-get install shellcheck)"
    path = resources.templates() / "check/facts.sh"
    done = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
    assert done.stdout == ""
