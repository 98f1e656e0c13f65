"""The machines as Azure has them."""

from __future__ import annotations

import pytest

from dlws.azure.estate import Machine, chosen
from dlws.core.errors import UsageError
from tests.support.arm.cluster import Site
from tests.support.arm.configs import SCALE_SET
from tests.support.arm.world import NIC, PUBLIC_IP, SUBSCRIPTION, VM, resource_id

GROUP = "AtlasResGrp"


def fill(site: Site, number: int) -> None:
    """As many workers, without making each of them."""
    world = site.arm.world
    where = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}"
    tags = {"cluster": "Atlas", "managed-by": "az_tools", "role": "worker"}
    world.groups[GROUP.lower()] = {"id": where, "name": GROUP, "location": "westus2", "tags": tags}
    for n in range(number):
        vm, nic, ip = (resource_id(GROUP, kind, f"w{n:03}") for kind in (VM, NIC, PUBLIC_IP))
        config = {"privateIPAddress": f"192.168.1.{n % 250}", "publicIPAddress": {"id": ip}}
        bodies = {
            vm: (VM, {"hardwareProfile": {"vmSize": "Standard_D4s_v5"},
                      "networkProfile": {"networkInterfaces": [{"id": nic}]}}),
            nic: (NIC, {"ipConfigurations": [{"properties": config}]}),
            ip: (PUBLIC_IP, {"ipAddress": "20.0.0.1"}),
        }  # fmt: skip
        for place, (kind, body) in bodies.items():
            world.resources[place.lower()] = {
                "id": place, "name": f"w{n:03}", "type": kind, "location": "westus2", "tags": tags,
                "properties": body, "power": "running",
            }  # fmt: skip


def test_500_machines_take_ten_questions(site: Site) -> None:
    fill(site, 500)
    rows = site.json("list")
    assert len(rows) == 500 and len(site.arm.asked) <= 10
    assert rows[0] == {
        "name": "w000", "role": "worker", "size": "Standard_D4s_v5", "state": "running",
        "spot": False, "zone": "", "private_ip": "192.168.1.0", "public_ip": "20.0.0.1",
        "fqdn": "", "scale_set": "", "instance": "",
    }  # fmt: skip


def test_a_table_for_people(site: Site) -> None:
    site("create")
    head, first, *rest = site("list").stdout.splitlines()
    assert head.split() == ["name", "role", "size", "gpu", "state", "price", "zone", "private",
                            "public", "fqdn"]  # fmt: skip
    assert first.split()[:8] == ["atlas-infra01", "infra", "Standard_D4s_v5", "-", "running",
                                 "regular", "-", "192.168.255.1"]  # fmt: skip
    assert len(rest) == 3


def test_where_nothing_is_nothing_is_listed(site: Site) -> None:
    assert site.json("list") == []


def test_machines_of_others_are_not_ours(site: Site) -> None:
    fill(site, 2)
    site.arm.world.resources[resource_id(GROUP, VM, "w001").lower()]["tags"] = {"cluster": "other"}
    assert [row["name"] for row in site.json("list")] == ["w000"]


def test_instances_of_a_scale_set(site: Site) -> None:
    site.configure(SCALE_SET)
    site("create")
    rows = [row for row in site.json("list") if row["role"] == "worker"]
    assert [(row["instance"], row["private_ip"], row["public_ip"]) for row in rows] == [
        ("0", "192.168.9.1", "20.1.0.1"), ("1", "192.168.9.2", "20.1.0.2"),
    ]  # fmt: skip


def machine(name: str, role: str = "worker") -> Machine:
    return Machine(name, role, "s", "running", False, "", "", "", "")


def test_patterns_choose() -> None:
    have = [machine("i1", "infra"), machine("w1"), machine("w2"), machine("w3")]
    for patterns, expected in ((["worker"], "w1 w2 w3"), (["w[1-2]"], "w1 w2"), (["all"], "i1 w1 "
                               "w2 w3"), (["w3", "infra"], "i1 w3")):  # fmt: skip
        assert [one.name for one in chosen(have, patterns)] == expected.split()
    with pytest.raises(UsageError, match="w9: no such machine"):
        chosen(have, ["w1", "w9"])
