"""What a local Azure holds: groups, resources, sizes, quotas, images; and what it refuses."""

from __future__ import annotations

import copy
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.arm import contract

SUBSCRIPTION, NAME = "11111111-2222-3333-4444-555555555555", "test"
Body = dict[str, Any]
_ID = re.compile(r"/subscriptions/[^/]+/resourcegroups/([^/]+)(?:/providers/(.+))?", re.IGNORECASE)
NIC, PUBLIC_IP = "microsoft.network/networkinterfaces", "microsoft.network/publicipaddresses"
VM, SCALE_SET = "microsoft.compute/virtualmachines", "microsoft.compute/virtualmachinescalesets"
ACCOUNT = "microsoft.storage/storageaccounts"
VNET, NSG = "microsoft.network/virtualnetworks", "microsoft.network/networksecuritygroups"


class Refusal(Exception):
    """An error of Azure's."""

    def __init__(self, status: int, code: str, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.error = {"code": code, "message": message, **more}


def size(name: str, family: str, cores: int, gpus: int = 0, **more: Any) -> Body:
    values = {"vCPUs": cores, "MemoryGB": cores * 4, "GPUs": gpus, "HyperVGenerations": "V1,V2"}
    rows = [{"name": key, "value": str(value)} for key, value in values.items() if value]
    info = [{"location": "westus2", "zones": ["1", "2"]}]
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": family,
        "locations": ["westus2"],
        "capabilities": rows,
        "locationInfo": info,
        "restrictions": [],
        **more,
    }


def usage(name: str, used: int, limit: int) -> Body:
    return {"name": {"value": name, "localizedValue": name}, "currentValue": used, "limit": limit,
            "unit": "Count"}  # fmt: skip


def resource_id(group: str, kind: str, name: str) -> str:
    """The id of a resource; children have a name with a slash."""
    types, parts = kind.split("/"), name.split("/")
    path = "/".join(f"{one}/{part}" for one, part in zip(types[1:], parts, strict=True))
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}/providers/{types[0]}/{path}"


def parsed(where: str) -> tuple[str, str, str]:
    """Group, type and name of an id, in small letters but for the name's own."""
    found = _ID.fullmatch(where)
    if not found or not found[2]:
        raise Refusal(400, "LinkedInvalidPropertyId", f"Property id '{where}' is invalid.")
    provider, *rest = found[2].split("/")
    return found[1].lower(), "/".join([provider, *rest[::2]]).lower(), "/".join(rest[1::2])


def key(where: str) -> str:
    return where.lower()


class Hardware:
    """What machines run on: nothing, unless somebody lends real nodes (hardware.py)."""

    def on(self, made: list[Body]) -> None:
        """Machines were made; they are to boot."""

    def off(self, name: str) -> None:
        """A machine is gone for ever."""

    def power(self, name: str, state: str) -> None:
        """A machine is running, stopped or deallocated from now on."""


@dataclass
class World:
    """The state of one subscription."""

    groups: dict[str, Body] = field(default_factory=dict)
    resources: dict[str, Body] = field(default_factory=dict)
    hidden: dict[str, Any] = field(default_factory=dict)
    """What was sent and is never answered: custom data, by the id of the machine."""
    providers: dict[str, str] = field(default_factory=lambda: dict.fromkeys(
        ("microsoft.compute", "microsoft.network"), "Registered"))  # fmt: skip
    sizes: list[Body] = field(default_factory=lambda: [
        size("Standard_D4s_v5", "standardDSv5Family", 4),
        size("Standard_D2s_v5", "standardDSv5Family", 2),
        size("Standard_NC4as_T4_v3", "Standard NCASv3_T4 Family", 4, 1)])  # fmt: skip
    usages: list[Body] = field(
        default_factory=lambda: [
            usage("cores", 0, 1000),
            usage("standardDSv5Family", 0, 1000),
            usage("Standard NCASv3_T4 Family", 0, 1000),
            usage("lowPriorityCores", 0, 1000),
        ]
    )
    images: dict[str, list[str]] = field(
        default_factory=lambda: {
            "canonical/ubuntu-24_04-lts/server": ["24.04.202607010", "24.04.202608010"]
        }
    )
    taken: set[str] = field(default_factory=set)
    """Public names that others have."""
    doomed: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Machines that cannot be made, by name: code and message."""
    addresses: int = 0
    hardware: Hardware = field(default_factory=Hardware)

    def group(self, name: str) -> Body:
        if name.lower() not in self.groups:
            raise Refusal(404, "ResourceGroupNotFound",
                          f"Resource group '{name}' could not be found.")  # fmt: skip
        return self.groups[name.lower()]

    def get(self, where: str) -> Body:
        group, _, _ = parsed(where)
        self.group(group)
        if key(where) not in self.resources:
            raise Refusal(404, "ResourceNotFound", f"The Resource '{where}' was not found.")
        return self.resources[key(where)]

    def of(self, kind: str, group: str = "") -> list[Body]:
        """Resources of a type, in a group; in the order in which they were made."""
        found = [one for one in self.resources.values() if one["type"].lower() == kind]
        return [one for one in found if not group or parsed(one["id"])[0] == group.lower()]

    def named(self, name: str) -> Body:
        (found,) = [one for one in self.resources.values() if one["name"] == name]
        return found

    def check(self, kind: str, body: Body, version: str) -> None:
        """Refuse what the SDK's models do not know."""
        frame = {"type": kind, "apiVersion": version, "name": "x", **body}
        if wrong := contract.of_resource(frame):
            raise Refusal(400, "InvalidRequestContent", "; ".join(wrong))

    def put(self, where: str, body: Body, version: str) -> Body:
        """Make or replace a resource, as the PUT of one does."""
        group, kind, name = parsed(where)
        self.group(group)
        sent = copy.deepcopy(body)
        self.check(kind, sent, version)
        self._check_references(sent, where)
        made = _MAKERS.get(kind)
        before = self.resources.get(key(where))
        whole = {"id": where, "name": name.rpartition("/")[2], "type": kind, **sent}
        whole.setdefault("properties", {})["provisioningState"] = "Succeeded"
        if made:
            made(self, whole, before)
        self.resources[key(where)] = whole
        return whole

    def _check_references(self, value: Any, own: str) -> None:
        if isinstance(value, dict):
            target = value.get("id")
            if isinstance(target, str) and target.startswith("/sub"):
                self._check_target(target)
            for item in value.values():
                self._check_references(item, own)
        elif isinstance(value, list):
            for item in value:
                self._check_references(item, own)

    def _check_target(self, target: str) -> None:
        _, kind, _ = parsed(target)
        if kind == f"{VNET}/subnets":
            vnet, _, name = target.rpartition("/subnets/")
            nets = self.resources.get(key(vnet), {"properties": {"subnets": []}})
            if any(one["name"] == name for one in nets["properties"]["subnets"]):
                return
        elif key(target) in self.resources:
            return
        raise Refusal(400, "InvalidResourceReference", f"Resource {target} referenced was not "
                      "found. Please make sure that it exists.")  # fmt: skip

    def delete(self, where: str) -> None:
        """Delete a resource that nothing uses; what is to go with a machine goes with it."""
        _, kind, _ = parsed(where)
        if kind == f"{NSG}/securityrules":
            self._delete_rule(where)
            return
        found = self.get(where)
        users = [one["id"] for one in self.resources.values() if one is not found
                 and not key(one["id"]).startswith(key(where)) and _uses(one, where)]  # fmt: skip
        if users and kind != VM:
            raise Refusal(409, "InUseCannotBeDeleted", f"{where} is in use by {users[0]}.")
        del self.resources[key(where)]
        if kind == VM:
            self._delete_with(found)
            self.hardware.off(found["name"])

    def _delete_rule(self, where: str) -> None:
        group, _, name = where.rpartition("/securityRules/")
        rules = self.get(group)["properties"]["securityRules"]
        rules[:] = [one for one in rules if one["name"] != name]
        self.resources.pop(key(where), None)

    def _delete_with(self, machine: Body) -> None:
        for nic in machine["properties"]["networkProfile"]["networkInterfaces"]:
            if (nic.get("properties") or {}).get("deleteOption") == "Delete":
                body = self.resources.pop(key(nic["id"]))
                for ip in body["properties"]["ipConfigurations"]:
                    public = ip["properties"].get("publicIPAddress")
                    if public and (public.get("properties") or {}).get("deleteOption") == "Delete":
                        del self.resources[key(public["id"])]
            else:
                self.resources[key(nic["id"])]["properties"].pop("virtualMachine", None)
        storage = machine["properties"]["storageProfile"]
        for disk in (storage["osDisk"], *storage["dataDisks"]):
            if disk.get("deleteOption") == "Delete":
                del self.resources[key(disk["managedDisk"]["id"])]

    def next_address(self, taken: set[str], network: str) -> str:
        hosts = ipaddress.ip_network(network).hosts()
        return next(str(one) for at, one in enumerate(hosts) if at > 2 and str(one) not in taken)


def _uses(one: Body, where: str) -> bool:
    return f'"{key(where)}"' in json.dumps(one["properties"]).lower()


def _vnet(world: World, made: Body, before: Body | None) -> None:
    for subnet in made["properties"]["subnets"]:
        subnet["id"] = f"{made['id']}/subnets/{subnet['name']}"
    left = {one["name"] for one in made["properties"]["subnets"]}
    for subnet in before["properties"]["subnets"] if before else ():
        if subnet["name"] not in left:
            raise Refusal(400, "InUseSubnetCannotBeDeleted", f"{subnet['name']} is in use.")


def _nsg(world: World, made: Body, before: Body | None) -> None:
    rules = made["properties"].setdefault("securityRules", [])
    levels = [rule["properties"]["priority"] for rule in rules]
    if len(levels) != len(set(levels)):
        raise Refusal(400, "SecurityRuleConflict", "Rules cannot have the same Priority.")
    for rule in rules:
        _check_rule(rule["properties"])


def _check_rule(rule: Body) -> None:
    several = rule.get("sourceAddressPrefixes") or []
    for one in several:
        try:
            ipaddress.ip_network(one)
        except ValueError:
            raise Refusal(400, "SecurityRuleInvalidAddressPrefix",
                          f"Value {one} is no address prefix.") from None  # fmt: skip
    if bool(several) == bool(rule.get("sourceAddressPrefix")):
        raise Refusal(400, "SecurityRuleParameterContainsUnsupportedValue", "one source or many")
    if not 100 <= rule["priority"] <= 4096:
        raise Refusal(400, "SecurityRuleInvalidPriority", "priority")


def _rule(world: World, made: Body, before: Body | None) -> None:
    _check_rule(made["properties"])
    group = world.get(made["id"].rpartition("/securityRules/")[0])["properties"]["securityRules"]
    group[:] = [one for one in group if one["name"] != made["name"]]
    level = made["properties"]["priority"]
    if any(one["properties"]["priority"] == level for one in group):
        raise Refusal(400, "SecurityRuleConflict", f"Priority {level} is another rule's.")
    group.append(made)


def _public_ip(world: World, made: Body, before: Body | None) -> None:
    body, dns = made["properties"], made["properties"].get("dnsSettings")
    if dns:
        label = dns["domainNameLabel"]
        if label in world.taken:
            raise Refusal(409, "DnsRecordInUse", f"DNS record {label} is already used.")
        dns["fqdn"] = f"{label}.{made['location']}.cloudapp.azure.com"
    world.addresses += 1
    number = world.addresses
    body["ipAddress"] = (before or made)["properties"].get(
        "ipAddress", f"20.0.{number // 200}.{number % 200 + 1}"
    )


def _nic(world: World, made: Body, before: Body | None) -> None:
    (ip,) = made["properties"]["ipConfigurations"]
    others = {one["properties"]["ipConfigurations"][0]["properties"]["privateIPAddress"]
              for one in world.of(NIC) if key(one["id"]) != key(made["id"])}  # fmt: skip
    vnet, _, name = ip["properties"]["subnet"]["id"].rpartition("/subnets/")
    (subnet,) = [one for one in world.get(vnet)["properties"]["subnets"] if one["name"] == name]
    wanted = ip["properties"].get("privateIPAddress")
    if wanted in others:
        raise Refusal(400, "PrivateIPAddressInUse", f"IP configuration {wanted} is in use.")
    if not wanted:
        prefix = subnet["properties"]["addressPrefix"]
        ip["properties"]["privateIPAddress"] = world.next_address(others, prefix)


def _vm(world: World, made: Body, before: Body | None) -> None:
    name, body = made["name"], made["properties"]
    world.hidden[key(made["id"])] = body["osProfile"].pop("customData", None)
    if name in world.doomed:
        body["provisioningState"] = "Failed"
        world.resources[key(made["id"])] = made
        code, message = world.doomed[name]
        raise Refusal(409, code, message)
    _charge(world, body["hardwareProfile"]["vmSize"], 1, body.get("priority") == "Spot")
    group = parsed(made["id"])[0]
    for nic in body["networkProfile"]["networkInterfaces"]:
        world.get(nic["id"])["properties"]["virtualMachine"] = {"id": made["id"]}
    storage = body["storageProfile"]
    for at, disk in enumerate((storage["osDisk"], *storage["dataDisks"])):
        where = resource_id(group, "Microsoft.Compute/disks", f"{name}_disk{at}")
        disk["managedDisk"]["id"] = where
        world.resources[key(where)] = {"id": where, "name": f"{name}_disk{at}", "type":
            "microsoft.compute/disks", "location": made["location"], "managedBy": made["id"],
            "properties": {"provisioningState": "Succeeded"}}  # fmt: skip
    made["power"] = "running"


def _charge(world: World, name: str, count: int, spot: bool) -> None:
    """Take cores from the quota; raises Refusal where it has too few."""
    found = next((one for one in world.sizes if one["name"] == name), None)
    if found is None:
        raise Refusal(400, "InvalidParameter", f"The value {name} provided for vmSize is invalid.")
    if found["restrictions"]:
        raise Refusal(409, "SkuNotAvailable", f"The requested VM size {name} is currently not "
                      "available in location westus2.")  # fmt: skip
    cores = count * int(next(c["value"] for c in found["capabilities"] if c["name"] == "vCPUs"))
    families = ["lowPriorityCores"] if spot else [found["family"], "cores"]
    for row in world.usages:
        if row["name"]["value"] in families and row["currentValue"] + cores > row["limit"]:
            raise Refusal(409, "OperationNotAllowed", "Operation could not be completed as it "
                f"results in exceeding approved {row['name']['value']} Cores quota. Current Limit: "
                f"{row['limit']}, Current Usage: {row['currentValue']}, Additional Required: "
                f"{cores}")  # fmt: skip
    for row in world.usages:
        if row["name"]["value"] in families:
            row["currentValue"] += cores


def _scale_set(world: World, made: Body, before: Body | None) -> None:
    profile = made["properties"]["virtualMachineProfile"]
    world.hidden[key(made["id"])] = profile["osProfile"].pop("customData", None)
    count = made["sku"]["capacity"] - (len(before["instances"]) if before else 0)
    _charge(world, made["sku"]["name"], max(0, count), profile.get("priority") == "Spot")
    made["instances"] = before["instances"] if before else {}
    made["next"] = before["next"] if before else 0
    resize(world, made, made["sku"]["capacity"])


def resize(world: World, made: Body, capacity: int) -> None:
    """Give a scale set as many instances; the newest go first."""
    instances: Body = made["instances"]
    while len(instances) > capacity:
        del instances[max(instances, key=int)]
    while len(instances) < capacity:
        number, made["next"] = made["next"], made["next"] + 1
        world.addresses += 1
        instances[str(number)] = {"power": "running", "private": f"192.168.9.{number + 1}",
            "public": f"20.1.0.{number + 1}", "protected": {}}  # fmt: skip
    made["sku"]["capacity"] = capacity


def _account(world: World, made: Body, before: Body | None) -> None:
    name = made["name"]
    if name in world.taken:
        raise Refusal(409, "StorageAccountAlreadyTaken", f"The account {name} is already taken.")
    made["properties"]["primaryEndpoints"] = {"blob": f"https://{name}.blob.core.windows.net/"}


_MAKERS: dict[str, Callable[[World, Body, Body | None], None]] = {
    VNET: _vnet, NSG: _nsg, f"{NSG}/securityrules": _rule, PUBLIC_IP: _public_ip, NIC: _nic,
    VM: _vm, SCALE_SET: _scale_set, ACCOUNT: _account,
}  # fmt: skip
