"""Resources of the template, each a pure function of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlws.azure.template import firewall, names
from dlws.azure.template.machines import Disk, Vm
from dlws.config import Config

Resource = dict[str, Any]
COMPUTE, NETWORK = "2026-04-01", "2026-03-01"
"""Versions of the interface: those of the SDK, which reads what they make."""
NET = "Microsoft.Network"
VNET, SUBNET = f"{NET}/virtualNetworks", f"{NET}/virtualNetworks/subnets"
NSG, RULE = f"{NET}/networkSecurityGroups", f"{NET}/networkSecurityGroups/securityRules"
NAT, PUBLIC_IP, NIC = f"{NET}/natGateways", f"{NET}/publicIPAddresses", f"{NET}/networkInterfaces"
VM, SCALE_SET = "Microsoft.Compute/virtualMachines", "Microsoft.Compute/virtualMachineScaleSets"
SET = "Microsoft.Compute/availabilitySets"


@dataclass(frozen=True)
class Access:
    """Who logs in to machines: a user with SSH keys, no password."""

    user: str
    keys: tuple[str, ...]


def reference(kind: str, *path: str) -> str:
    """The id of a resource in the same group, as an expression."""
    words = ", ".join(f"'{word}'" for word in (kind, *path))
    return f"[resourceId({words})]"


def parameter(role: str) -> str:
    """The name of the parameter that holds a role's custom data: Azure shows it to nobody."""
    return f"customData{role.capitalize()}"


def _resource(kind: str, name: str, config: Config, role: str = "", **more: Any) -> Resource:
    version = COMPUTE if kind.startswith("Microsoft.Compute") else NETWORK
    return {
        "type": kind,
        "apiVersion": version,
        "name": name,
        "location": names.section(config).azure_location,
        "tags": names.tags(config, role),
        **more,
    }


def _depends(*ids: str) -> dict[str, Any]:
    found = [one for one in ids if one]
    return {"dependsOn": found} if found else {}


def security_group(config: Config, name: str) -> Resource:
    rules = [firewall.as_resource(rule) for rule in firewall.rules(config, name)]
    return _resource(NSG, name, config, properties={"securityRules": rules})


def security_rule(group: str, rule: firewall.Rule) -> Resource:
    """A rule of a group that is there."""
    body = firewall.as_resource(rule)
    return {"type": RULE, "apiVersion": NETWORK, **body, "name": f"{group}/{rule.name}"}


def virtual_network(config: Config) -> Resource:
    azure, prefix = names.section(config), config.cloud_config_nsg_rules.vnet_range
    nat = reference(NAT, names.nat_gateway(config)) if has_nat(config) else ""
    subnet: dict[str, Any] = {
        "addressPrefix": prefix,
        "defaultOutboundAccess": azure.outbound == "default",
    }
    if nat:
        subnet["natGateway"] = {"id": nat}
    return _resource(
        VNET,
        names.vnet(config),
        config,
        **_depends(nat),
        properties={
            "addressSpace": {"addressPrefixes": [prefix]},
            "subnets": [{"name": azure.subnet_name, "properties": subnet}],
        },
    )


def has_nat(config: Config) -> bool:
    """Whether some machines have no public address, and reach out through a gateway."""
    azure = names.section(config)
    return azure.outbound == "nat" and azure.public_ips != "all"


def nat_gateway(config: Config) -> Resource:
    address = reference(PUBLIC_IP, names.public_ip(names.nat_gateway(config)))
    body = {"idleTimeoutInMinutes": 10, "publicIpAddresses": [{"id": address}]}
    sku = {"name": "Standard"}
    own = names.nat_gateway(config)
    return _resource(NAT, own, config, sku=sku, **_depends(address), properties=body)


def public_ip(config: Config, name: str, label: str = "", zones: Sequence[str] = ()) -> Resource:
    """A public address that stays, with a name in the location's domain."""
    body: dict[str, Any] = {"publicIPAllocationMethod": "Static", "publicIPAddressVersion": "IPv4"}
    if label:
        body["dnsSettings"] = {"domainNameLabel": label}
    own: dict[str, Any] = {"zones": list(zones)} if zones else {}
    return _resource(PUBLIC_IP, name, config, sku={"name": "Standard"}, **own, properties=body)


def availability_set(config: Config, name: str) -> Resource:
    body = {"platformFaultDomainCount": 2, "platformUpdateDomainCount": 5}
    return _resource(SET, name, config, sku={"name": "Aligned"}, properties=body)


def subnet_id(config: Config) -> str:
    return reference(SUBNET, names.vnet(config), names.section(config).subnet_name)


def group_of(config: Config, role: str) -> str:
    """The name of the security group that machines of a role are in."""
    return names.nfs_nsg(config) if role == "nfs" else names.nsg(config)


def interface(config: Config, vm: Vm) -> Resource:
    group = reference(NSG, group_of(config, vm.role))
    address = reference(PUBLIC_IP, names.public_ip(vm.name)) if vm.public else ""
    ip: dict[str, Any] = {"subnet": {"id": subnet_id(config)}, "primary": True}
    ip["privateIPAllocationMethod"] = "Static" if vm.address else "Dynamic"
    if vm.address:
        ip["privateIPAddress"] = vm.address
    if address:
        ip["publicIPAddress"] = {"id": address, "properties": {"deleteOption": "Delete"}}
    return _resource(
        NIC,
        names.nic(vm.name),
        config,
        **_depends(reference(VNET, names.vnet(config)), group, address),
        properties={
            "networkSecurityGroup": {"id": group},
            "ipConfigurations": [{"name": "ipconfig", "properties": ip}],
        },
    )


def image_reference(image: str) -> dict[str, str]:
    """An image by publisher:offer:sku:version, or by its id."""
    if image.startswith("/"):
        return {"id": image}
    return dict(zip(("publisher", "offer", "sku", "version"), image.split(":"), strict=True))


def _os(access: Access, role: str) -> dict[str, Any]:
    path = f"/home/{access.user}/.ssh/authorized_keys"
    keys = [{"path": path, "keyData": key} for key in access.keys]
    return {
        "adminUsername": access.user,
        "customData": f"[parameters('{parameter(role)}')]",
        "linuxConfiguration": {
            "disablePasswordAuthentication": True,
            "ssh": {"publicKeys": keys},
        },
    }


def _data_disks(disks: Sequence[Disk], gone: str) -> list[dict[str, Any]]:
    return [
        {
            "lun": lun,
            "createOption": "Empty",
            "diskSizeGB": disk.size,
            "managedDisk": {"storageAccountType": disk.sku},
            **({"deleteOption": gone} if gone else {}),
        }
        for lun, disk in enumerate(disks)
    ]


def _storage(config: Config, vm: Vm, gone: str) -> dict[str, Any]:
    """`gone` is what becomes of disks with their machine; instances of a scale set have no say."""
    azure = names.section(config)
    return {
        "imageReference": image_reference(vm.image),
        "osDisk": {
            "createOption": "FromImage",
            "diskSizeGB": azure.os_storage_sz,
            "managedDisk": {"storageAccountType": azure.os_storage_sku},
            **({"deleteOption": "Delete"} if gone else {}),
        },
        "dataDisks": _data_disks(vm.disks, gone),
    }


def _common(config: Config, vm: Vm) -> dict[str, Any]:
    """Spot, and no Secure Boot where a driver is to be built for GPUs."""
    azure, found = names.section(config), dict[str, Any]()
    if vm.spot:
        found = {"priority": "Spot", "evictionPolicy": azure.eviction_policy}
        found["billingProfile"] = {"maxPrice": azure.max_price}
    if vm.gpu:
        found["securityProfile"] = {"securityType": "Standard"}
    return found


def machine(config: Config, vm: Vm, access: Access) -> Resource:
    """A machine; its disks go with it, but for those that hold the cluster's files."""
    nic = reference(NIC, names.nic(vm.name))
    place = reference(SET, vm.place) if vm.place else ""
    body = {
        "hardwareProfile": {"vmSize": vm.size},
        "storageProfile": _storage(config, vm, "Delete" if vm.role == "worker" else "Detach"),
        "osProfile": {"computerName": vm.name, **_os(access, vm.role)},
        "networkProfile": {
            "networkInterfaces": [
                {"id": nic, "properties": {"primary": True, "deleteOption": "Delete"}}
            ]
        },
        **({"availabilitySet": {"id": place}} if place else {}),
        **_common(config, vm),
    }
    own: dict[str, Any] = {"zones": [vm.zone]} if vm.zone else {}
    depends = _depends(nic, place)
    return _resource(VM, vm.name, config, vm.role, **own, **depends, properties=body)


def scale_set(config: Config, vm: Vm, capacity: int, access: Access) -> Resource:
    """Workers as instances of one scale set, all like `vm`."""
    azure, name = names.section(config), names.scale_set(config)
    network = reference(VNET, names.vnet(config))
    group = reference(NSG, names.nsg(config))
    profile = {
        "storageProfile": _storage(config, vm, ""),
        "osProfile": {"computerNamePrefix": f"{name}-", **_os(access, vm.role)},
        "networkProfile": {"networkInterfaceConfigurations": [_scale_nic(config, vm, group)]},
        **_common(config, vm),
    }
    body = {
        "orchestrationMode": "Uniform",
        "overprovision": False,
        "singlePlacementGroup": capacity <= 100,
        "upgradePolicy": {"mode": "Manual"},
        "virtualMachineProfile": profile,
    }
    sku = {"name": vm.size, "tier": "Standard", "capacity": capacity}
    zones: Mapping[str, Any] = {"zones": list(azure.zones)} if azure.zones else {}
    depends = _depends(network, group)
    return _resource(SCALE_SET, name, config, vm.role, sku=sku, **zones, **depends, properties=body)


def _scale_nic(config: Config, vm: Vm, group: str) -> dict[str, Any]:
    ip: dict[str, Any] = {"subnet": {"id": subnet_id(config)}, "primary": True}
    if vm.public:
        ip["publicIPAddressConfiguration"] = {"name": "public", "sku": {"name": "Standard"}}
    return {
        "name": "nic",
        "properties": {
            "primary": True,
            "networkSecurityGroup": {"id": group},
            "ipConfigurations": [{"name": "ipconfig", "properties": ip}],
        },
    }
