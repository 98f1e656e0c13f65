"""The machines that the configuration asks for."""

from __future__ import annotations

import pytest

from dlws.azure.template.machines import Disk, is_gpu, wanted
from tests.support.arm.configs import PLACED, PLAIN, RICH, SCALE_SET, ZONES, config


def test_infra_nodes_have_addresses_of_their_own() -> None:
    addresses = {vm.name: vm.address for vm in wanted(config(RICH)) if vm.address}
    assert addresses == {
        "atlas-infra01": "10.8.255.1", "atlas-infra02": "10.8.255.2", "atlas-infra03": "10.8.255.3",
    }  # fmt: skip


def test_in_a_small_network_azure_chooses() -> None:
    text = PLAIN + "  vnet_range: 192.168.7.0/24\n"
    assert {vm.address for vm in wanted(config(text))} == {""}


def test_disks() -> None:
    disks = {vm.name: vm.disks for vm in wanted(config(RICH))}
    assert disks["atlas-nfs-data"] == (Disk(100, "Premium_LRS"),) * 2
    assert disks["atlas-nfs02"] == (Disk(1024, "Premium_LRS"),)
    assert disks["atlas-mysqlserver01"] == (Disk(2048, "Premium_LRS"),)
    alone = {vm.name: vm.disks for vm in wanted(config(ZONES))}
    assert len(alone["atlas-infra01"]) == 2, "infra nodes serve files where nothing else does"


def test_zones_take_turns() -> None:
    assert [vm.zone for vm in wanted(config(ZONES)) if vm.role == "worker"] == ["1", "2"]


def test_sets() -> None:
    places = {vm.role: vm.place for vm in wanted(config(PLACED))}
    assert places == {"infra": "", "worker": "together"}
    assert {vm.place for vm in wanted(config(RICH)) if vm.role == "infra"} == {"atlas-infra-set"}


def test_a_scale_set_takes_the_place_of_workers() -> None:
    assert {vm.role for vm in wanted(config(SCALE_SET))} == {"infra"}


def test_given_workers() -> None:
    found = wanted(config(PLAIN), workers=[4, 9])
    assert [vm.name for vm in found if vm.role == "worker"] == ["atlas-worker04", "atlas-worker09"]


@pytest.mark.parametrize(("size", "expected"), [
    ("Standard_NC4as_T4_v3", True), ("Standard_ND96isr_H100_v5", True), ("standard_nv36ads_a10_v5",
    True), ("Standard_D4s_v5", False), ("Standard_NP10s", True),
])  # fmt: skip
def test_sizes_with_gpus(size: str, expected: bool) -> None:
    assert is_gpu(size) is expected
