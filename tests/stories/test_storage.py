"""Shares on real nodes: mounted, there after a reboot, refused to be cleaned up while they are.

sshfs, GlusterFS and bind mounts. The kernel around the sandbox has neither NFS nor CIFS: NFS is
served by NFS-Ganesha, and used by programs that speak it themselves (libnfs).
"""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
from collections.abc import Iterator

import paramiko
import pytest

from tests.support.deploy import Deploy
from tests.support.loops import MakeDisk
from tests.support.sandboxes import Made, MakeSandbox
from tests.support.waiting import wait_until

pytestmark = pytest.mark.sandbox

OPERATIONS = "ls /var/lib/dlws/ops | wc -l"
"""How many commands were run on a node that may change it."""
ODD = "/mnt/a b%i/ü-\\x$H"
SHARES = """
mountpoints:
  s: {{type: sshfs, server: {address}, accountname: root, accesskey: 'file:share.key',
      filesharename: /srv/share, mountpoints: ""}}
  l: {{type: local, filesharename: "/srv/lo cal", curphysicalmountpoint: '{odd}', mountpoints: [x]}}
  e: {{type: emptyDir, vc: v1}}
"""


@pytest.fixture(scope="module")
def box(make_sandbox: MakeSandbox) -> Made:
    made = make_sandbox(1, 1)
    for words in (("build",), ("sshkey", "install")):
        Deploy(made.directory)(*words)
    key = made.directory / "share.key"
    line = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)]
    subprocess.run(line, check=True)
    public = key.with_suffix(".key.pub").read_text().strip()
    made.run("infra1", f"mkdir -p /srv/share && echo '{public}' >>/root/.ssh/authorized_keys")
    address = made.sandbox.address(made.sandbox.node("infra1"))
    with made.config.open("a") as config:
        config.write(SHARES.format(address=address, odd=ODD))
    return made


@pytest.fixture
def deploy(box: Made) -> Deploy:
    return Deploy(box.directory)


def states(deploy: Deploy, code: int = 0) -> set[str]:
    rows = json.loads(deploy("mount", "status", "--output", "json", code=code).stdout)
    assert len(rows) == 6
    return {row["state"] for row in rows}


def reboot(box: Made, name: str) -> None:
    """Reboots a node and waits until it is back."""
    box.run(name, "touch /run/before")
    with contextlib.suppress(paramiko.SSHException, OSError, EOFError, AssertionError):
        box.run(name, "systemctl reboot")
    anew = "test ! -e /run/before && systemctl is-active multi-user.target"

    def back() -> bool:
        with contextlib.suppress(paramiko.SSHException, OSError, EOFError, AssertionError):
            return box.run(name, anew) == "active"
        return False

    wait_until(back, 90)


def test_they_are_mounted_linked_and_a_second_run_changes_nothing(
    box: Made, deploy: Deploy
) -> None:
    told = deploy("--dry-run", "mount").stderr
    assert r"unit mnt-a\x20b\x25i-\xc3\xbc\x2d\x5cx\x24H.mount" in told, told
    deploy("mount")
    box.run("worker1", "echo hello >/dlwsdata/work/f && echo here >/dltsdata/v1/e/f")
    assert box.run("infra1", "cat /srv/share/work/f /mntdlws/s/work/f") == "hello\nhello"
    assert box.run("worker1", "cat /var/lib/dlws/empty/e/f; stat -c %a /mntdlws/s/work") == (
        "here\n777"
    )
    kinds = box.run("worker1", f"findmnt -n -o FSTYPE /mntdlws/s; findmnt '{ODD}' >/dev/null")
    assert kinds == "fuse.sshfs"
    assert box.run("worker1", "stat -c %a /etc/dlws/mounts /etc/dlws/mounts/s.key") == "700\n600"
    before = box.run("worker1", OPERATIONS)
    assert "nothing to do" in deploy("mount").stderr
    deploy("role", "verify", "mounts")
    deploy("role", "verify", "mount-links")
    assert box.run("worker1", OPERATIONS) == before
    assert states(deploy) == {"mounted"}


def test_they_are_there_after_a_reload_and_a_reboot(box: Made, deploy: Deploy) -> None:
    box.run("worker1", "systemctl daemon-reload")
    assert states(deploy) == {"mounted"}
    reboot(box, "worker1")
    # A sandbox node has no automounts: where its network comes late, nothing tries again by itself.
    rows = json.loads(deploy("mount", "status", "--output", "json", code=None).stdout)
    assert {row["share"] for row in rows if row["state"] != "mounted"} <= {"s"}
    deploy("mount")
    assert states(deploy) == {"mounted"}
    assert box.run("worker1", "cat /dlwsdata/work/f") == "hello"
    deploy("role", "verify", "mounts")


@contextlib.contextmanager
def away(box: Made) -> Iterator[None]:
    """While the block runs, worker1 does not reach the server of the share s."""
    server = box.sandbox.address(box.sandbox.node("infra1"))
    box.run("worker1", f"ip route add unreachable {server}")
    try:
        yield
    finally:
        box.run("worker1", f"ip route del unreachable {server}")


def on_worker1(deploy: Deploy, code: int | None) -> dict[str, str]:
    told = deploy("mount", "status", "worker1", "--output", "json", code=code)
    return {row["share"]: row["state"] for row in json.loads(told.stdout)}


def test_a_server_that_is_away_is_told_and_hangs_no_node(box: Made, deploy: Deploy) -> None:
    address = box.sandbox.address(box.sandbox.node("infra1"))
    with away(box):
        assert on_worker1(deploy, 5) == {"s": "does not answer", "l": "mounted", "e": "mounted"}
        told = deploy("mount", "start", "worker1", code=1).stderr
        assert "does not answer" in told and f"server: {address}" in told, told
    wait_until(lambda: set(on_worker1(deploy, None).values()) == {"mounted"}, 60)
    assert box.run("worker1", "cat /dlwsdata/work/f") == "hello"


def test_without_its_server_a_share_is_not_mounted_and_the_others_are(
    box: Made, deploy: Deploy
) -> None:
    deploy("mount", "stop", "worker1")
    with away(box):
        told = deploy("mount", "start", "worker1", code=1).stderr
        address = box.sandbox.address(box.sandbox.node("infra1"))
        assert f"mntdlws-s.mount does not start (server: {address})" in told, told
        assert f"cure: see that {address} is up" in told and "journalctl -u" in told, told
        assert on_worker1(deploy, 5) == {"s": "not mounted", "l": "mounted", "e": "mounted"}
        # A job fails there, and writes nothing on the node's own disk.
        assert box.run("worker1", "echo x 2>&1 >/dlwsdata/work/g || ls -A /mntdlws/s") != ""
        assert box.run("worker1", "ls -A /mntdlws/s") == ""
    deploy("mount", "start", "worker1")
    assert states(deploy) == {"mounted"}
    assert box.run("worker1", "cat /dlwsdata/work/f; ls /mntdlws/s/work") == "hello\nf"


def test_clean_and_stop_leave_what_is_mounted_or_busy(box: Made, deploy: Deploy) -> None:
    told = deploy("mount", "clean", code=4).stderr
    assert "worker1: /mntdlws/s (fuse.sshfs of root@" in told and "mount stop" in told, told
    assert "worker1: /mntdlws/e (" in told
    deploy("role", "remove", "mounts", code=1)
    box.run("worker1", "(cd /mntdlws/s && exec sleep 300) >/dev/null 2>&1 & echo $! >/run/sleeper")
    told = deploy("mount", "stop", "worker1", code=1).stderr
    assert "mntdlws-s.mount cannot be stopped" in told, told
    assert box.run("worker1", "cat /mntdlws/s/work/f") == "hello"
    box.run("worker1", "kill $(cat /run/sleeper)")


def test_stop_then_clean_takes_all_but_the_data_away(box: Made, deploy: Deploy) -> None:
    deploy("mount", "stop")
    assert states(deploy, code=5) == {"not mounted"}
    assert "nothing to do" in deploy("mount", "stop").stderr
    deploy("mount", "clean")
    for node in ("infra1", "worker1"):
        left = "ls -d /etc/systemd/system/mnt*.mount /mntdlws/s /etc/dlws/mounts/s.key 2>/dev/null"
        assert box.run(node, f"{left}; find /dlwsdata /dltsdata -type l") == ""
    assert box.run("infra1", "cat /srv/share/work/f") == "hello"
    assert box.run("worker1", "cat /var/lib/dlws/empty/e/f") == "here"
    assert "nothing to do" in deploy("mount", "clean").stderr


VOLUME = "  g: {type: glusterfs, server: infra1 worker1, filesharename: gv, mountpoints: [z]}\n"
BRICK = "/var/lib/dlws/bricks/gv"


def volumes(deploy: Deploy, code: int | None = 0) -> list[tuple[str, str, int]]:
    told = json.loads(deploy("glusterfs", "status", "--output", "json", code=code).stdout)
    return [(row["node"], row["state"], row["pending"]) for row in told]


def test_a_replicated_volume_of_the_nodes_own_disks(box: Made, deploy: Deploy) -> None:
    text = box.config.read_text()
    box.config.write_text(text.replace("mountpoints:\n", f"mountpoints:\n{VOLUME}"))
    box.run("worker1", f"mkdir -p {BRICK} && echo theirs >{BRICK}/f")
    told = deploy("glusterfs", "create", code=4).stderr
    assert f"worker1: {BRICK} holds something else" in told, told
    assert box.run("worker1", f"cat {BRICK}/f; rm {BRICK}/f") == "theirs"
    assert "volume create gv" in deploy("--dry-run", "glusterfs", "create").stderr
    deploy("glusterfs", "create")
    before = box.run("infra1", OPERATIONS)
    assert "nothing to do" in deploy("glusterfs", "create").stderr
    assert box.run("infra1", OPERATIONS) == before
    assert volumes(deploy) == [("infra1", "served", 0), ("worker1", "served", 0)]
    address = box.sandbox.address(box.sandbox.node("infra1"))
    listens = box.run("infra1", "ss -ltnH | grep -E ':(24007|4915[0-9]|5[0-9]{4}) '")
    assert all(f" {address}:" in line for line in listens.splitlines()), listens


def test_a_copy_that_was_away_is_healed(box: Made, deploy: Deploy) -> None:
    deploy("mount", "start")
    box.run("infra1", "echo one >/mntdlws/g/z/f")
    assert box.run("worker1", f"cat /mntdlws/g/z/f {BRICK}/z/f") == "one\none"
    pids = "/var/run/gluster/vols/gv/*.pid"
    box.run("worker1", f"kill $(cat {pids})")
    box.run("infra1", "echo two >/mntdlws/g/z/f")
    assert ("worker1", "not served") in [row[:2] for row in volumes(deploy, code=5)]
    box.run("worker1", "systemctl restart glusterd")
    # Just after the restart its peers call it away.
    served = ("worker1", "served")
    wait_until(lambda: served in [row[:2] for row in volumes(deploy, code=None)], 60)
    deploy("glusterfs", "heal")
    assert box.run("worker1", f"cat {BRICK}/z/f") == "two"
    assert volumes(deploy) == [("infra1", "served", 0), ("worker1", "served", 0)]
    told = deploy("mount", "clean", code=4).stderr
    assert "worker1: /mntdlws/g (fuse.glusterfs of " in told, told
    deploy("mount", "stop")
    deploy("mount", "clean")
    assert box.run("worker1", f"cat {BRICK}/z/f") == "two"


ROOT, OTHER = "/srv/nfs/share", """/srv/nfs/a b#$H;'ü%"""
CLIENT = "{ apt-get -qq update && apt-get -qq -y install libnfs-utils; } >/run/client 2>&1"
SERVED = """
nfs_server: ganesha
nfs_disk_mnt: {{infra1: {{fileshares: [{root}, "{other}"]}}}}
nfs_client_CIDR: {{node_range: {networks}, samba_range: 10.199.0.0/24}}
"""


def serve(box: Made, networks: str, more: str = "") -> None:
    text = box.config.read_text().partition("\nnfs_server:")[0]
    added = SERVED.format(root=ROOT, other=OTHER, networks=networks)
    box.config.write_text(text + added + more)


def url(box: Made, path: str, options: str = "version=4") -> str:
    return shlex.quote(f"nfs://{box.sandbox.address(box.sandbox.node('infra1'))}{path}?{options}")


def listed(box: Made, path: str, who: str = "", node: str = "worker1") -> str:
    """What a client sees of a share; what it complains of where it sees none."""
    line = f"timeout 60 {who} nfs-ls {url(box, path)}"
    return box.run(node, f"{line} 2>&1 || true")


def test_nfs_is_served_by_a_program_to_the_networks_alone(box: Made, deploy: Deploy) -> None:
    address = box.sandbox.address(box.sandbox.node("worker1"))
    serve(box, f"[{address}/32]")
    box.run("infra1", f"mkdir -p {ROOT} && echo theirs >{ROOT}/old")
    told = deploy("--dry-run", "nfs-server", "create").stderr
    assert "unit nfs-ganesha.service" in told, told
    deploy("nfs-server", "create")
    before = box.run("infra1", OPERATIONS)
    assert "nothing to do" in deploy("nfs-server", "create").stderr
    deploy("role", "verify", "nfs-ganesha")
    assert box.run("infra1", OPERATIONS) == before
    assert ":111 " not in box.run("infra1", "ss -ltnu")
    box.run("worker1", CLIENT)
    box.run("worker1", f"echo mine >/root/f && nfs-cp /root/f {url(box, f'{ROOT}/new')}")
    assert box.run("worker1", f"nfs-cat {url(box, f'{ROOT}/old')}") == "theirs"
    # Root of a client is nobody here.
    assert box.run("infra1", f"cat {ROOT}/new; stat -c '%u %g' {ROOT}/new") == "mine\n65534 65534"
    box.run("worker1", f"nfs-cp /root/f {url(box, f'{OTHER}/g')}")
    assert box.run("infra1", f"cat {shlex.quote(OTHER)}/g") == "mine"


def test_who_may_not_use_nfs_is_refused(box: Made, deploy: Deploy) -> None:
    assert "old" in listed(box, ROOT)
    # The server's own address is none of the networks; nor may programs of people there, or NFSv3.
    box.run("infra1", CLIENT)
    assert "NFS4ERR" in listed(box, ROOT, node="infra1")
    assert "NFS4ERR" in listed(box, ROOT, "setpriv --reuid 65534 --clear-groups")
    old = f"timeout 60 nfs-ls {url(box, ROOT, 'version=3')} 2>&1 || true"
    assert "Failed to mount" in box.run("worker1", old)
    box.run("worker1", "ip address add 10.199.0.9/24 dev host0")
    box.run("infra1", "ip address add 10.199.0.1/24 dev host0")
    second = url(box, ROOT).replace(box.sandbox.address(box.sandbox.node("infra1")), "10.199.0.1")
    assert "old" in box.run("worker1", f"timeout 60 nfs-ls {second}")
    starts = "systemctl show -p ExecMainStartTimestampMonotonic nfs-ganesha"
    before = box.run("infra1", starts)
    serve(box, "[10.198.0.0/24]", "nfs_root_access: infrastructure\n")
    deploy("nfs-server", "create")
    assert "NFS4ERR" in listed(box, ROOT) and "old" in listed(box, ROOT, node="infra1")
    box.run("infra1", f"echo root >/root/f && nfs-cp /root/f {url(box, f'{ROOT}/root')}")
    assert box.run("infra1", f"stat -c %u {ROOT}/root") == "0"
    assert box.run("infra1", starts) == before, "other clients' shares went away for a while"


def test_nfs_is_served_after_a_reboot_and_its_data_is_there(box: Made, deploy: Deploy) -> None:
    serve(box, f"[{box.sandbox.address(box.sandbox.node('worker1'))}/32]")
    deploy("nfs-server", "create")
    reboot(box, "infra1")
    wait_until(lambda: "old" in listed(box, ROOT), 60)
    assert "nothing to do" in deploy("nfs-server", "create").stderr
    assert box.run("infra1", f"cat {ROOT}/old {ROOT}/new") == "theirs\nmine"


def test_a_directory_that_no_program_can_serve_is_told(box: Made, deploy: Deploy) -> None:
    """A sandbox node's own root is an overlay, which has no file handles."""
    text = box.config.read_text()
    box.config.write_text(text.replace(f"[{ROOT}, ", f"[{ROOT}, /opt/overlay, "))
    told = deploy("nfs-server", "create", code=1).stderr
    assert "/opt/overlay is not served: see /var/log/ganesha/ganesha.log" in told, told
    assert "old" in listed(box, ROOT)
    box.config.write_text(text)
    deploy("nfs-server", "create")


def test_the_kernels_server_takes_its_place_and_the_data_stays(box: Made, deploy: Deploy) -> None:
    text = box.config.read_text()
    box.config.write_text(text.replace("nfs_server: ganesha", "nfs_server: kernel"))
    told = deploy("nfs-server", "create")
    assert "around this container lacks nfsd" in told.stdout + told.stderr
    assert box.run("infra1", "systemctl is-active nfs-ganesha || true") == "inactive"
    assert box.run("infra1", "ls /etc/ganesha/dlws-exports.conf 2>/dev/null || true") == ""
    named = OTHER.replace(" ", "\\040")
    assert f"{named}  " in box.run("infra1", "exportfs -ra; exportfs -s")
    box.config.write_text(text)
    deploy("nfs-server", "create")
    assert "old" in listed(box, ROOT)


def test_disks_of_data_disk_are_looked_at_before_one_is_changed(
    box: Made, deploy: Deploy, make_disk: MakeDisk
) -> None:
    empty, full = make_disk(), make_disk()
    for disk in (empty, full):
        box.run("infra1", f"mknod {disk} b 7 {disk.removeprefix('/dev/loop')}")
    text = box.config.read_text()
    where = f"infra1: {{path: /srv/disk, fileshares: [{ROOT}, "
    text = text.replace(f"infra1: {{fileshares: [{ROOT}, ", where)
    box.run("infra1", f"mkfs.ext4 -q {full}")
    box.config.write_text(f"{text}data-disk: [{empty}, {full}]\n")
    told = deploy("nfs-server", "create", code=4).stderr
    assert f"infra1: {full} is one of data-disk and is not empty (carries ext4" in told, told
    assert box.run("infra1", f"wipefs -n {empty}; ls -d /srv/disk 2>/dev/null || true") == ""
    box.config.write_text(f"{text}data-disk: {empty}\n")
    assert f"disk {empty}: is empty" in deploy("--dry-run", "nfs-server", "create").stderr
    try:
        deploy("nfs-server", "create")
        assert box.run("infra1", "findmnt -no SOURCE,FSTYPE /srv/disk").split() == [empty, "ext4"]
        box.run("infra1", "echo kept >/srv/disk/f")
        before = box.run("infra1", OPERATIONS)
        assert "nothing to do" in deploy("nfs-server", "create").stderr
        assert box.run("infra1", f"{OPERATIONS}; cat /srv/disk/f") == f"{before}\nkept"
    finally:
        box.run("infra1", "umount -q /srv/disk || true")
