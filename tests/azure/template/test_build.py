"""The template: what is asked for, in one deployment, by the SDK's own models."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from dlws.azure.template import machines, resources, storage
from dlws.azure.template.build import Request, custom_data, key, request, summary
from dlws.azure.template.firewall import Rule
from dlws.core.errors import UsageError
from tests.support.arm import contract
from tests.support.arm.configs import ACCESS, ALL, PLAIN, RICH, SCALE_SET, config


def made(text: str = PLAIN, there: set[tuple[str, str]] | None = None) -> Request:
    found = config(text)
    return request(found, Path(), ACCESS, machines.wanted(found), there or set())


def by_type(text: str, kind: str) -> dict[str, Any]:
    return {one["name"]: one for one in made(text).resources if one["type"] == kind}


@pytest.mark.parametrize("name", ALL)
def test_every_resource_keeps_the_contract_of_the_sdk(name: str) -> None:
    wrong = {one["name"]: contract.of_resource(one) for one in made(ALL[name]).resources}
    assert {key: value for key, value in wrong.items() if value} == {}
    assert contract.of_body(contract.DEPLOYMENT, made(ALL[name]).body) == []


def test_the_contract_covers_every_type_that_is_made() -> None:
    rule = resources.security_rule("g", Rule("r", 100, ("22",), ("10.0.0.1",)))
    assert contract.of_resource(rule) == []
    types = {one["type"].lower() for text in ALL.values() for one in made(text).resources}
    logs = {one["type"].lower() for one in storage.request(config()).resources}
    assert types | {rule["type"].lower()} | logs == set(contract.MODELS)


def test_the_versions_are_those_that_the_sdk_is_asked_with() -> None:
    assert (resources.COMPUTE, resources.NETWORK) == (contract.COMPUTE, contract.NETWORK)
    assert storage.STORAGE == contract.STORAGE


def broken(kind: str, path: str, value: Any, text: str = RICH) -> list[str]:
    """What the contract says of a resource in which one value is another; `...` takes it away."""
    resource = copy.deepcopy(next(iter(by_type(text, kind).values())))
    *steps, last = path.split("/")
    place: Any = resource
    for step in steps:
        place = place[int(step) if step.isdecimal() else step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return contract.of_resource(resource)


@pytest.mark.parametrize(("kind", "path", "value", "words"), [
    (resources.VM, "properties/hardware_profile", {}, "unknown"),
    (resources.VM, "properties/storageProfile/osdisk", {}, "unknown"),
    (resources.VM, "properties/provisioningState", "Succeeded", "read-only"),
    (resources.VM, "properties/vmId", "x", "read-only"),
    (resources.VM, "properties/storageProfile/osDisk/createOption", ..., "missing"),
    (resources.VM, "properties/storageProfile/osDisk/createOption", "Copied", "none of"),
    (resources.VM, "properties/storageProfile/osDisk/diskSizeGB", "64", "not int"),
    (resources.VM, "properties/priority", "Cheap", "none of"),
    (resources.VM, "properties/networkProfile/networkInterfaces", {}, "not a list"),
    (resources.VM, "properties/osProfile/linuxConfiguration/disablePasswordAuthentication", "yes",
     "not bool"),
    (resources.VM, "apiVersion", "2018-06-01", "apiVersion"),
    (resources.VM, "location", ..., "location: missing"),
    (resources.VM, "name", ..., "name is missing"),
    (resources.VM, "zones", ["1", 2], "not str"),
    (resources.NSG, "properties/securityRules/0/properties/priority", "900", "not int"),
    (resources.NSG, "properties/securityRules/0/properties/access", "allow-all", "none of"),
    (resources.NSG, "properties/securityRules/0/properties/direction", ..., "missing"),
    (resources.NSG, "properties/defaultSecurityRules", [], "read-only"),
    (resources.PUBLIC_IP, "properties/publicIpAllocationMethod", "Static", "unknown"),
    (resources.PUBLIC_IP, "sku/name", "Luxury", "none of"),
    (resources.NIC, "properties/ipConfigurations/0/properties/subnet", "mySubnet", "not an object"),
    (resources.NIC, "properties/macAddress", "00-11", "read-only"),
    (resources.VNET, "properties/subnets/0/properties/defaultOutboundAccess", "no", "not bool"),
    (resources.NAT, "properties/publicIPAddresses", [], "unknown"),
    (resources.NIC, "tags/cluster", 5, "not str"),
    (resources.VM, "type", "Microsoft.Compute/machines", "unknown"),
])  # fmt: skip
def test_what_is_wrong_is_caught(kind: str, path: str, value: Any, words: str) -> None:
    (problem,) = broken(kind, path, value)
    assert words in problem


def test_it_is_the_same_each_time() -> None:
    assert json.dumps(made(RICH).body) == json.dumps(made(RICH).body)


@pytest.mark.parametrize("name", ALL)
def test_what_is_depended_on_is_in_it_and_stands_before(name: str) -> None:
    seen = set[str]()
    for one in made(ALL[name]).resources:
        assert set(one.get("dependsOn", ())) <= seen
        seen.add(resources.reference(one["type"], one["name"]))


def test_what_is_there_is_left_out_and_nothing_depends_on_it() -> None:
    there = {key(one) for one in made().resources if "worker02" not in one["name"]}
    rest = made(there=there)
    assert [one["name"] for one in rest.resources] == [
        "atlas-worker02PublicIP", "atlas-worker02VMNic", "atlas-worker02",
    ]  # fmt: skip
    assert "dependsOn" not in rest.resources[0]
    assert rest.resources[1]["dependsOn"] == [
        "[resourceId('Microsoft.Network/publicIPAddresses', 'atlas-worker02PublicIP')]"
    ]
    assert set(rest.secrets) == {"customDataWorker"}
    assert made(there={key(one) for one in made().resources}).resources == []


def test_custom_data_is_a_secure_parameter_and_nowhere_else() -> None:
    found = made()
    assert {one["type"] for one in found.template["parameters"].values()} == {"securestring"}
    assert not any(value in json.dumps(found.template) for value in found.secrets.values())
    vm = by_type(PLAIN, resources.VM)["atlas-worker01"]["properties"]
    assert vm["osProfile"]["customData"] == "[parameters('customDataWorker')]"


def test_machines_are_entered_with_a_key_and_no_password() -> None:
    for text in (PLAIN, SCALE_SET):
        words = json.dumps(made(text).template)
        assert "adminPassword" not in words and '"disablePasswordAuthentication": true' in words
        assert "/home/dlwsadmin/.ssh/authorized_keys" in words


def test_machines_without_a_public_address_reach_out_through_a_gateway() -> None:
    subnet = by_type(RICH, resources.VNET)["atlas-VNet"]["properties"]["subnets"][0]["properties"]
    assert subnet["natGateway"] == {
        "id": "[resourceId('Microsoft.Network/natGateways', 'atlas-nat')]"
    }
    assert not by_type(PLAIN, resources.NAT)
    plain = by_type(PLAIN, resources.VNET)["Atlas-VNet"]["properties"]["subnets"][0]["properties"]
    assert plain["defaultOutboundAccess"] is False


def test_spot_workers_and_no_others() -> None:
    vms = by_type(RICH, resources.VM)
    spot = {name for name, vm in vms.items() if vm["properties"].get("priority") == "Spot"}
    assert spot == {"atlas-worker01", "atlas-worker02", "atlas-worker03"}


def test_disks_with_files_outlive_their_machine() -> None:
    vms = by_type(RICH, resources.VM)
    kept = {name: {disk["deleteOption"] for disk in vm["properties"]["storageProfile"]["dataDisks"]}
            for name, vm in vms.items()}  # fmt: skip
    assert kept["atlas-nfs-data"] == {"Detach"} and kept["atlas-worker01"] == {"Delete"}


def test_gpu_machines_do_without_secure_boot() -> None:
    vms = by_type(PLAIN, resources.VM)
    assert vms["atlas-worker01"]["properties"]["securityProfile"] == {"securityType": "Standard"}
    assert "securityProfile" not in vms["atlas-infra01"]["properties"]


def test_a_cloud_init_file_of_ones_own(tmp_path: Path) -> None:
    text = PLAIN.replace("azure_cluster: {", "azure_cluster: {cloud_init: {worker: w.yaml}, ")
    (tmp_path / "w.yaml").write_text("#cloud-config\n")
    assert custom_data(config(text), tmp_path, "worker") == "I2Nsb3VkLWNvbmZpZwo="
    (tmp_path / "w.yaml").write_text("x" * 65_536)
    with pytest.raises(UsageError, match="65536 bytes, and Azure takes 65535"):
        custom_data(config(text), tmp_path, "worker")
    (tmp_path / "w.yaml").unlink()
    with pytest.raises(UsageError, match="cannot be read"):
        custom_data(config(text), tmp_path, "worker")


def test_the_summary_counts() -> None:
    found = config(RICH)
    lines = summary(found, machines.wanted(found), made(RICH))
    assert "3 worker of size Standard_NC4as_T4_v3, spot" in lines
    assert lines[0] == "resource group atlasResGrp in westus2, network 10.8.0.0/16"
