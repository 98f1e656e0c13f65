"""Names: made from the cluster's alone, and legal."""

from __future__ import annotations

import pytest

from dlws.azure.template import machines, names
from dlws.core.errors import UsageError
from tests.support.arm.configs import PLAIN, RICH, config


def test_names_are_those_of_the_ancestor() -> None:
    found = config(PLAIN)
    assert names.resource_group(found) == "AtlasResGrp"
    assert (names.vnet(found), names.nsg(found)) == ("Atlas-VNet", "Atlas-nsg")
    assert names.nfs_nsg(found) == "Atlas-nfs-nsg"
    assert [vm.name for vm in machines.wanted(found)] == [
        "atlas-infra01", "atlas-worker01", "atlas-worker02", "atlas-nfs01",
    ]  # fmt: skip
    assert names.domain(found) == "westus2.cloudapp.azure.com"


@pytest.mark.parametrize("cluster", ["a", "A_b-", "x" * 40, "Lab-" + "y" * 36, "a__b"])
def test_whatever_the_cluster_is_called_its_names_are_legal(cluster: str) -> None:
    found = config(RICH.replace("atlas", cluster))
    for vm in machines.wanted(found):
        assert not names.illegal("machine", vm.name)
        assert not names.illegal("public name", names.dns_label(found, vm.name))
    assert not names.illegal("resource group", names.resource_group(found))
    assert not names.illegal("virtual network", names.vnet(found).rstrip("-"))
    assert len(names.deployment(found)) <= 64


def test_public_names_may_begin_otherwise() -> None:
    found = config(PLAIN.replace("{subscription: test", "{dns_prefix: Lab7"))
    assert names.dns_label(found, "atlas-infra01") == "lab7-infra01"


def test_a_machine_is_numbered_by_its_name() -> None:
    found = config(PLAIN)
    assert names.number(found, "worker", "atlas-worker07") == 7
    assert names.number(found, "worker", "atlas-worker107") == 107
    assert names.number(found, "worker", "atlas-nfs01") == 0


def test_without_the_section_there_is_nothing_to_do() -> None:
    with pytest.raises(UsageError, match="no azure_cluster"):
        names.section(config("cluster_name: a\nmachines: {m: {role: infra}}\n"))
