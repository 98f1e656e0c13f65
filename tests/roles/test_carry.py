"""Which machines carry a role."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dlws.config.shares import KEYS
from dlws.core.errors import UsageError
from dlws.roles import carry
from dlws.roles.carry import Carriers
from tests.support.toyrole import MakeRole

Read = Callable[[], Carriers]


@pytest.mark.parametrize(("yaml", "names"), [
    ("", "npu01"), ("on: [worker]", "gpu01 npu01"), ("on: [all]", "infra01 gpu01 npu01"),
    ("on: [infra]", "infra01 npu01"), ("on: [nfs|infra]", "infra01 npu01"),
    ("on: [nfs]", "npu01"), ("when: machine.type == 'gpu'", "gpu01 npu01"),
    ("when: machine.rack == 'r1'", "gpu01 npu01"),
    ("{on: [all], architectures: [arm64]}", "npu01"),
    ("{on: [all], architectures: [x86_64], when: not machine.is_infra}", "gpu01 npu01"),
    ("{vars: {x: '{{ machine.type }}'}, when: x == 'gpu'}", "gpu01 npu01"),
])  # fmt: skip
def test_by_role_word_condition_and_architecture(
    make_role: MakeRole, carriers: Read, yaml: str, names: str
) -> None:
    """npu01 has the role by name, whatever else is said."""
    make_role(yaml)
    assert " ".join(node.name for node in carriers().nodes("toy")) == names


def test_what_a_role_needs_comes_before_it(make_role: MakeRole, carriers: Read) -> None:
    make_role("needs: [base, more]")
    make_role("needs: [base]", name="more")
    make_role("", name="base")
    found = carriers()
    assert [role.name for role in found.of(found.cluster.nodes[2])] == ["base", "more", "toy"]
    assert [node.name for node in found.nodes("base")] == ["npu01"]


def test_needs_that_cannot_be(make_role: MakeRole, carriers: Read) -> None:
    make_role("needs: [other]")
    with pytest.raises(UsageError, match="the role toy needs other, which is no role"):
        carriers().nodes("toy")
    make_role("needs: [toy]", name="other")
    with pytest.raises(UsageError, match="roles need each other: toy -> other -> toy"):
        carriers().nodes("toy")


def test_two_roles_on_a_machine_that_place_one_file(make_role: MakeRole, carriers: Read) -> None:
    make_role("needs: [other]", {"etc/x": ""})
    make_role("", {"etc/x.j2": "", "etc/y": ""}, name="other")
    with pytest.raises(UsageError, match="npu01 carries the roles other and toy, which both place"):
        carriers().nodes("toy")


def test_those_asked_for(make_role: MakeRole, carriers: Read) -> None:
    make_role()
    found = carriers()
    assert [node.name for node in found.chosen("toy", ["worker"])] == ["npu01"]
    with pytest.raises(UsageError, match="no machine carries the role toy: gpu01") as caught:
        found.chosen("toy", ["gpu01"])
    assert caught.value.cure.startswith("it is carried by npu01; give a machine `role: toy`")
    with pytest.raises(UsageError, match="there is no role toi"):
        found.chosen("toi", [])


def test_a_role_says_what_to_do_where_nobody_carries_it(
    carriers: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError) as caught:
        carriers().chosen("nfs-server", [])
    assert "nfs_disk_mnt" in caught.value.cure
    monkeypatch.setattr("dlws.roles.carry.PROGRAM", "dlws --dir /srv")
    with pytest.raises(UsageError) as caught:
        carriers().chosen("registry", [])
    assert caught.value.cure.endswith("then run: dlws --dir /srv registry start")


def test_an_undefined_name_in_when_has_its_place(make_role: MakeRole, carriers: Read) -> None:
    make_role("when: machine.nope == 'r1'")
    with pytest.raises(UsageError) as caught:
        carriers().nodes("toy")
    assert "role.yaml:1:7: error: when: " in caught.value.message


def test_the_keys_that_it_stems_from(make_role: MakeRole, carriers: Read) -> None:
    make_role("when: config.nfs_client_cidr or config.mysql_port or share")
    found = carriers()
    role, (_, gpu, npu) = found.role("toy"), found.cluster.nodes
    share = [(key,) for key in KEYS]
    own = ("machines", "gpu01")
    assert carry.origin(role, gpu.machine) == (*share, ("mysql_port",), (*own, "role"), own)
    assert carry.origin(role, npu.machine)[0] == ("machines", "npu01", "role")
