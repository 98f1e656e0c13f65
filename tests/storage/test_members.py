"""The roles that mount shares: what they place on a node, and what systemd says of it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.errors import UsageError
from dlws.roles.carry import Carriers
from dlws.roles.wanted import Wanted, removal, wanted
from tests.support.fakes import World

Make = Callable[..., World]
SECRET = 'p,w"d $x %i \\'
MACHINES = """
cluster_name: atlas
network: {domain: example.org}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  nfs1: {role: nfs, private-ip: 10.1.0.2}
  w1: {role: worker, private-ip: 10.1.0.11}
"""
EVERY = (
    MACHINES
    + r"""
mountpoints:
  n: {type: nfs, server: nfs1, filesharename: /mnt/a b, mountpoints: ""}
  z: {type: azurefileshare, accountname: acc, accesskey: 'p,w"d $x %i \', filesharename: f}
  c: {type: cifs, server: nas, filesharename: c, accountname: joe, accesskey: k2}
  g: {type: glusterfs, server: 'w1 infra01', filesharename: vol}
  s: {type: sshfs, server: nas, filesharename: /srv/x, accountname: joe, accesskey: k3}
  l: {type: local, device: LABEL=my disk}
  h: {type: localHDD, filesharename: /srv/ü %i}
  e: {type: emptyDir, vc: v1}
  "we ird%n\\,": {type: emptyDir, curphysicalmountpoint: '/mnt/a b%i/ü-\x$H;"'}
"""
)


def role(make: Make, name: str, text: str = EVERY, node: str = "w1") -> Wanted:
    carriers = Carriers(make(text).cluster)
    found = next(one for one in carriers.cluster.nodes if one.name == node)
    return wanted(carriers.role(name), carriers.values(found))


def test_a_password_of_two_lines_is_refused(make: Make) -> None:
    """The second was a setting of its own: a domain, or another password."""
    share = {"type": "cifs", "server": "nas", "filesharename": "c", "accountname": "joe",
             "accesskey": "k4\ndomain=x"}  # fmt: skip
    text = f"{MACHINES}{json.dumps({'mountpoints': {'c': share}})[1:-1]}\n"
    with pytest.raises(UsageError, match=r"^mountpoints\.c\.accesskey has a line break") as error:
        role(make, "mounts", text)
    assert "k4" not in str(error.value)


def test_units_credentials_and_folders(make: Make) -> None:
    found = role(make, "mounts")
    files = {file.path: file for file in found.files}
    odd = r"mnt-a\x20b\x25i-\xc3\xbc\x2d\x5cx\x24H\x3b\x22"
    remote = [f"mntdlws-{name}" for name in "nzcgs"]
    every = [*remote, "mntdlws-l", "mntdlws-h", "mntdlws-e", odd]
    assert found.units == (
        *(f"{unit}.automount" for unit in remote),
        *(f"{unit}.mount" for unit in every),
    )
    place = "/etc/systemd/system/"
    assert {path.removeprefix(place) for path in files if path.startswith(place)} == set(
        found.units
    )
    kept = {path: file for path, file in files.items() if path.startswith("/etc/dlws")}
    assert {path: (file.content, file.mode) for path, file in kept.items()} == {
        "/etc/dlws/mounts/z.credentials": (f"username=acc\npassword={SECRET}\n".encode(), 0o600),
        "/etc/dlws/mounts/c.credentials": (b"username=joe\npassword=k2\n", 0o600),
        "/etc/dlws/mounts/s.key": (b"k3\n", 0o600),
    }
    assert not any(
        word in bytes(file.content if isinstance(file.content, bytes) else b"")
        for path, file in files.items()
        for word in (b"p,w", b"k2", b"k3")
        if path not in kept
    )
    assert found.modules == ("nfs", "cifs", "fuse")
    assert [(one.path, one.mode) for one in found.directories][:2] == [
        ("/etc/dlws/mounts", 0o700),
        ("/var/lib/dlws/empty/e", 0o1777),
    ]
    assert found.folders[0] == ("/mntdlws/n/jobfiles", 0o777)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_units(make: Make, tmp_path: Path) -> None:
    """Among others that each name is that of its path: systemd refuses a unit otherwise."""
    folder = tmp_path / "units"
    folder.mkdir()
    found = role(make, "mounts")
    for file in found.files:
        if "/systemd/" in file.path:
            assert isinstance(file.content, bytes)
            (folder / file.path.rpartition("/")[2]).write_bytes(file.content)
    done = judged(folder)
    ours = [line for line in done.splitlines() if "mntdlws" in line or "mnt-a" in line]
    # It looks for programs of this machine, too, and for what our units come behind.
    assert [line for line in ours if "not found" not in line] == [], done
    (folder / "wrong.mount").write_bytes((folder / "mntdlws-n.mount").read_bytes())
    assert "Where= setting doesn't match unit name" in judged(folder)


def judged(folder: Path) -> str:
    """What systemd says of the units in a folder."""
    paths = sorted(str(path) for path in folder.iterdir())
    line = ["systemd-analyze", "verify", "--man=no", "--", *paths]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_values_stand_in_units_as_systemd_reads_them(make: Make) -> None:
    texts = {file.path.rpartition("/")[2]: file.content for file in role(make, "mounts").files}
    (odd,) = (text for name, text in texts.items() if name.startswith("mnt-a"))
    assert isinstance(odd, bytes)
    assert '\nWhere=/mnt/a b%%i/ü-\\x$H;"\n' in odd.decode()
    home = texts["mntdlws-h.mount"]
    assert isinstance(home, bytes) and "\nWhat=/srv/ü %%i\n" in home.decode()


def test_links_for_jobs(make: Make) -> None:
    found = role(make, "mount-links")
    assert found.links["/dlwsdata/work"] == "/mntdlws/n/work"
    assert found.links["/dltsdata/v1/e"] == "/mntdlws/e"
    assert found.links["/dlwsdata/we ird%n\\,"] == '/mnt/a b%i/ü-\\x$H;"'


def test_packages_of_the_types_in_use_alone(make: Make) -> None:
    assert role(make, "mount-packages").packages == {
        "debian": ("nfs-common", "cifs-utils", "glusterfs-client", "sshfs"),
        "redhat": ("nfs-utils", "cifs-utils", "glusterfs-fuse", "fuse-sshfs"),
    }
    text = MACHINES + "mountpoints: {s: {type: sshfs, server: nas, filesharename: /x}}\n"
    assert role(make, "mount-packages", text).packages["debian"] == ("sshfs",)
    assert role(make, "mounts", text).modules == ("fuse",)


@pytest.mark.parametrize(("more", "names"), [
    ("", ""), ("mountpoints: {s: {type: emptyDir}}", "infra01 w1"),
    ("mountpoints: {s: {type: emptyDir, autoshare: false}}", ""),
])  # fmt: skip
def test_workers_and_infra_nodes_mount_shares(make: Make, more: str, names: str) -> None:
    carriers = Carriers(make(f"{MACHINES}{more}\n").cluster)
    for one in ("mounts", "mount-links"):
        assert " ".join(node.name for node in carriers.nodes(one)) == names
    if not names:
        with pytest.raises(UsageError, match="no machine carries the role mounts") as caught:
            carriers.chosen("mounts", ())
        assert "mountpoints: {share1:" in caught.value.cure


MOUNTED = "31 28 0:5 / {at} rw,relatime shared:1 - fuse.sshfs joe@nas:/srv/x rw\n"


@pytest.mark.parametrize(("at", "refused"), [
    ("/mntdlws/n", True), ("/mntdlws/n/below", True), ("/mntdlws", False), ("/mntdlws/nn", False),
    (r"/mnt/a\040b%i/ü-\134x$H;\"".replace('\\"', '"'), True), ("/", False),
])  # fmt: skip
def test_the_role_itself_is_not_removed_while_anything_is_mounted(
    make: Make, tmp_path: Path, at: str, refused: bool
) -> None:
    carriers = Carriers(make(EVERY).cluster)
    node = carriers.cluster.nodes[2]
    guard, *_ = removal(carriers.role("mounts"), carriers.values(node)).before
    table = tmp_path / "mountinfo"
    table.write_text(MOUNTED.format(at=at))
    line = guard.replace("/proc/self/mountinfo", str(table))
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == int(refused), done
    assert ("is mounted" in done.stderr) is refused


def test_removing_takes_empty_directories_alone(make: Make, tmp_path: Path) -> None:
    full, empty = tmp_path / "full", tmp_path / "empty"
    for place in (full, empty):
        place.mkdir()
    (full / "data").write_text("precious")
    text = MACHINES + (
        f"mountpoints: {{s: {{type: emptyDir, curphysicalmountpoint: {full}}}, "
        f"t: {{type: emptyDir, curphysicalmountpoint: {empty}}}}}\n"
    )
    carriers = Carriers(make(text).cluster)
    (after,) = removal(carriers.role("mounts"), carriers.values(carriers.cluster.nodes[2])).after
    assert not re.search(r"\brm -|-delete", after)
    done = subprocess.run(["bash", "-c", after], check=False)
    assert done.returncode == 0 and (full / "data").read_text() == "precious"
    assert not empty.exists()
