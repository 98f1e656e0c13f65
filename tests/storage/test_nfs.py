"""Serving over NFS, by what nodes answer: disks first, then one server, and never two."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from dlws.core.connection import Result
from dlws.core.errors import DeployError, Refused, UsageError
from dlws.nodes.cluster import Cluster
from dlws.roles import apply
from dlws.roles.carry import Carriers
from dlws.roles.wanted import Wanted, wanted
from dlws.storage import nfs
from tests.support.fakes import World

Make = Callable[..., World]
TEXT = """
cluster_name: atlas
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  nfs1: {role: nfs, private-ip: 10.1.0.2}
  nfs2: {role: nfs, private-ip: 10.1.0.3}
nfs_disk_mnt: {nfs1: {path: /d1, fileshares: [/d1/a, /d1/b]}, nfs2: {fileshares: [/d2/c]}}
"""
GANESHA = f"{TEXT}nfs_server: ganesha\n"
DISKS = f"{TEXT}data-disk: '/dev/sd[b-z]'\n"
EMPTY = "differs: disk\t/dev/sdb\tis empty, and is to be the file system on /d1\n"
USED = "differs: state\tprepare_vm_disk.sh\t/dev/sdc is not empty (ext4); cure: clear it\n"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of roles."""
    asked: list[str] = []

    def bring(cluster: Cluster, role: str, patterns: tuple[str, ...]) -> None:
        asked.append(f"apply {role} {' '.join(patterns)}".strip())

    def leave(cluster: Cluster, role: str, patterns: list[str]) -> None:
        asked.append(f"remove {role} {' '.join(patterns)}")

    monkeypatch.setattr(apply, "apply", bring)
    monkeypatch.setattr(apply, "remove", leave)
    return asked


def disks(said: str, code: int = 0) -> Callable[[str, bytes], Result | None]:
    """A node whose prepare_vm_disk.sh says so in check mode."""

    def answer(command: str, stdin: bytes) -> Result | None:
        if "prepare_vm_disk.sh" in command:
            return Result(0, b"changed: made it\n")
        if not stdin:
            return None
        line = f"0 {code} {base64.b64encode(said.encode()).decode()} \n"
        return Result(0, line.encode())

    return answer


@pytest.mark.parametrize(("text", "role", "other"), [
    (TEXT, "nfs-server", "nfs-ganesha"), (GANESHA, "nfs-ganesha", "nfs-server"),
])  # fmt: skip
def test_one_server_is_brought_and_the_other_goes_from_where_it_is(
    make: Make, done: list[str], text: str, role: str, other: str
) -> None:
    world = make(text)
    nfs.create(world.cluster)
    assert done == [f"apply {role}"]
    record = f"/var/lib/dlws/roles/{other}/record"
    world.fakes["nfs2"].rules.append(
        lambda line, _: Result(0, b"yes\n") if record in line else None
    )
    done.clear()
    nfs.create(world.cluster)
    assert done == [f"remove {other} nfs2", f"apply {role}"]
    assert world.commands("infra01") == []


def test_without_data_disk_nobody_looks_at_disks(make: Make, done: list[str]) -> None:
    world = make(TEXT)
    nfs.create(world.cluster)
    assert not any(
        b"prepare_vm_disk" in stdin for f in world.fakes.values() for _, stdin in f.asked
    )


def test_empty_disks_are_put_to_use_where_a_path_is_named(make: Make, done: list[str]) -> None:
    world = make(DISKS)
    world.fakes["nfs1"].rules.append(disks(EMPTY))
    nfs.create(world.cluster)
    ran = [line for line in world.commands("nfs1") if "prepare_vm_disk.sh" in line]
    assert len(ran) == 1 and "--mount /d1" in ran[0] and "'DLWS_DATA_DISKS=/dev/sd[b-z]'" in ran[0]
    assert not any(stdin for _, stdin in world.fakes["nfs2"].asked)
    world.fakes["nfs1"].asked.clear()
    world.fakes["nfs1"].rules[:] = [disks("")]
    nfs.create(world.cluster)
    assert not [line for line in world.commands("nfs1") if "prepare_vm_disk.sh" in line]


def test_one_disk_with_data_keeps_all_disks_of_all_nodes_from_being_changed(
    make: Make, done: list[str]
) -> None:
    world = make(DISKS.replace("nfs2: {", "nfs2: {path: /d2, "))
    world.fakes["nfs1"].rules.append(disks(EMPTY))
    world.fakes["nfs2"].rules.append(disks(USED, 5))
    with pytest.raises(Refused) as caught:
        nfs.create(world.cluster)
    assert "nfs2: /dev/sdc is not empty (ext4)" in caught.value.message
    assert caught.value.cure == "clear it"
    assert done == []
    for fake in world.fakes.values():
        assert not [line for line, _ in fake.asked if "prepare_vm_disk.sh" in line]


def test_disks_that_cannot_be_looked_at_are_no_empty_ones(make: Make, done: list[str]) -> None:
    world = make(DISKS)
    world.fakes["nfs1"].rules.append(disks("", 127))
    with pytest.raises(DeployError, match="cannot be looked at: exit 127"):
        nfs.create(world.cluster)
    assert done == []


def test_a_dry_run_shows_disks_and_touches_none(make: Make, done: list[str]) -> None:
    world = make(DISKS, dry_run=True)
    world.fakes["nfs1"].rules.append(disks(EMPTY))
    nfs.create(world.cluster)
    assert not [line for line in world.commands("nfs1") if "prepare_vm_disk.sh" in line]
    (action,) = world.cluster.run.gate.actions
    assert "is empty, and is to be the file system on /d1" in str(action)


def test_who_serves_nothing_is_told(make: Make, done: list[str]) -> None:
    with pytest.raises(UsageError, match="no machine carries the role nfs-server"):
        nfs.create(make(TEXT.partition("nfs_disk_mnt")[0]).cluster)


def ganesha(make: Make, more: str, node: str = "nfs1") -> tuple[Wanted, str]:
    """The role on a node, and its exports without spaces at line ends."""
    carriers = Carriers(make(f"{GANESHA}{more}\n").cluster)
    found = next(one for one in carriers.cluster.nodes if one.name == node)
    role = wanted(carriers.role("nfs-ganesha"), carriers.values(found))
    (text,) = (file.content for file in role.files if file.path.endswith("dlws-exports.conf"))
    assert isinstance(text, bytes)
    return role, " ".join(text.decode().split())


def test_each_server_exports_its_own_to_the_networks_alone(make: Make) -> None:
    networks = "nfs_client_CIDR: {node_range: [10.1.0.0/16], samba_range: 10.9.0.0/24}"
    role, text = ganesha(make, networks)
    who = "CLIENT { Clients = 10.1.0.0/16, 10.9.0.0/24; Access_Type = RW; Squash = Root_Squash;"
    assert text.count(who) == 2 and text.count("CLIENT {") == 2
    assert text.count("Access_Type = None; PrivilegedPort = true;") == 2
    assert 'Path = "/d1/a"; Pseudo = "/d1/a";' in text and 'Path = "/d1/b";' in text
    assert [one.path for one in role.directories] == ["/d1/a", "/d1/b"]
    _, other = ganesha(make, networks, "nfs2")
    assert 'Path = "/d2/c"' in other and "/d1" not in other


def test_root_of_the_infrastructure_comes_before_the_network_that_it_is_in(make: Make) -> None:
    more = "nfs_root_access: infrastructure\nnfs_client_CIDR: {node_range: 10.1.0.0/16}"
    _, text = ganesha(make, more)
    root = text.index("Clients = 10.1.0.1; Access_Type = RW; Squash = No_Root_Squash;")
    assert root < text.index("Clients = 10.1.0.0/16; Access_Type = RW; Squash = Root_Squash;")


@pytest.mark.parametrize(("more", "protocols", "does"), [
    ("", "Protocols = 4;", " mask "),
    ("mountconfig: {nfs: {options: vers=3}}", "3, 4;", " unmask "),
])  # fmt: skip
def test_nfs_3_and_rpcbind_only_where_they_are_asked_for(
    make: Make, more: str, protocols: str, does: str
) -> None:
    role, text = ganesha(make, more)
    assert protocols in text
    assert [due for due in role.due if due.kind == "run" and does in due.what]
    assert {(due.kind, due.what) for due in role.due} >= {
        ("restart", "nfs-ganesha.service"), ("reload", "nfs-ganesha.service"),
    }  # fmt: skip


ODD = """/d/a b#$H;'ü"\\n{%}*"""


def test_awkward_paths_in_both_servers_files(make: Make) -> None:
    named = "nfs_disk_mnt: {nfs1: {fileshares: ['" + ODD.replace("'", "''") + "']}}"
    text = GANESHA.partition("nfs_disk_mnt")[0] + f"{named}\n"
    carriers = Carriers(make(f"{text}nfs_server: ganesha\n").cluster)
    known = carriers.values(carriers.cluster.nodes[1])
    texts = [
        str(file.content, "utf-8")
        for role in ("nfs-ganesha", "nfs-server")
        for file in wanted(carriers.role(role), known).files
        if isinstance(file.content, bytes)
    ]
    assert any('Path = "/d/a b#$H;\'ü\\"\\\\n{%}*";' in one for one in texts)
    assert any('"/d/a b#$H;\'ü\\042\\134n{%}*" ' in one for one in texts)
