"""The template of a cluster: all its resources, or those that are still missing."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dlws.azure.template import machines, names, resources
from dlws.azure.template.machines import Vm
from dlws.azure.template.resources import Access, Resource
from dlws.config import Config
from dlws.core.errors import UsageError
from dlws.core.localfiles import MIB, read

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_MOST_CUSTOM_DATA = 65_535
_CLOUD_CONFIG = b"""#cloud-config
# The machine is made ready over SSH; nothing is upgraded behind the cluster's back meanwhile.
ssh_pwauth: false
disable_root: true
package_update: false
package_upgrade: false
"""
Kept = Collection[tuple[str, str]]
"""Resources that are there: type and name, in small letters."""


@dataclass(frozen=True)
class Request:
    """What a deployment asks for. `secrets` are its parameters: custom data, which nobody sees."""

    resources: Sequence[Resource]
    secrets: Mapping[str, str]

    @property
    def template(self) -> dict[str, Any]:
        return {
            "$schema": SCHEMA,
            "contentVersion": "1.0.0.0",
            "parameters": {name: {"type": "securestring"} for name in sorted(self.secrets)},
            "resources": list(self.resources),
        }

    @property
    def body(self) -> dict[str, Any]:
        """What Azure gets; Incremental: what is not in it stays as it is."""
        values = {name: {"value": value} for name, value in sorted(self.secrets.items())}
        template = self.template
        return {"properties": {"mode": "Incremental", "template": template, "parameters": values}}


def request(
    config: Config,
    directory: Path,
    access: Access,
    vms: Sequence[Vm],
    there: Kept = (),
    image: Callable[[str], str] = str,
) -> Request:
    """What has to be made for these machines, but for what is there. `image` pins a version."""
    made = [*_shared(config, vms), *_of_scale_set(config, access, image)]
    for vm in vms:
        made += _of_machine(config, replace(vm, image=image(vm.image)), access)
    lacking = [one for one in made if key(one) not in there]
    roles = {one["tags"][names.ROLE] for one in lacking if names.ROLE in one["tags"]}
    data = {resources.parameter(role): custom_data(config, directory, role) for role in roles}
    return Request(_without_others(lacking), data)


def key(resource: Resource) -> tuple[str, str]:
    return resource["type"].lower(), resource["name"].lower()


def _shared(config: Config, vms: Sequence[Vm]) -> Iterator[Resource]:
    groups = {names.nsg(config): None, names.nfs_nsg(config): None}
    yield from (resources.security_group(config, name) for name in groups)
    if resources.has_nat(config):
        gateway = names.nat_gateway(config)
        yield resources.public_ip(config, names.public_ip(gateway))
        yield resources.nat_gateway(config)
    yield resources.virtual_network(config)
    places = dict.fromkeys(vm.place for vm in vms if vm.place)
    yield from (resources.availability_set(config, name) for name in places)


def _of_machine(config: Config, vm: Vm, access: Access) -> Iterator[Resource]:
    if vm.public:
        label, zones = names.dns_label(config, vm.name), [vm.zone] if vm.zone else []
        yield resources.public_ip(config, names.public_ip(vm.name), label, zones)
    yield resources.interface(config, vm)
    yield resources.machine(config, vm, access)


def _of_scale_set(
    config: Config, access: Access, image: Callable[[str], str]
) -> Iterator[Resource]:
    azure = names.section(config)
    if azure.worker_scale_set:
        like = machines.vm(config, "worker", 1)
        like = replace(like, image=image(like.image))
        yield resources.scale_set(config, like, azure.worker_node_num, access)


def _without_others(made: Sequence[Resource]) -> list[Resource]:
    """The resources, each depending on those of the template alone: the rest is there."""
    inside = {resources.reference(one["type"], *one["name"].split("/")) for one in made}
    found = []
    for one in made:
        depends = [each for each in one.get("dependsOn", ()) if each in inside]
        rest = {name: value for name, value in one.items() if name != "dependsOn"}
        found.append({**rest, "dependsOn": depends} if depends else rest)
    return found


def custom_data(config: Config, directory: Path, role: str) -> str:
    """What cloud-init gets on machines of a role, in base64; raises UsageError for too much."""
    given = names.section(config).cloud_init
    path = {str(name): file for name, file in given.items()}.get(role)
    content = _CLOUD_CONFIG
    if path:
        try:
            content = read(directory / path, MIB)
        except OSError as error:
            raise UsageError(
                f"azure_cluster.cloud_init.{role}: {path} cannot be read: {error.strerror}",
                "correct the path; it is of the cluster's directory",
            ) from error
    if len(content) > _MOST_CUSTOM_DATA:
        raise UsageError(
            f"azure_cluster.cloud_init.{role}: {path} has {len(content)} bytes, and Azure takes "
            f"{_MOST_CUSTOM_DATA}",
            "have cloud-init fetch what is large, or bring it with a script",
        )
    return base64.b64encode(content).decode()


def summary(config: Config, vms: Iterable[Vm], made: Request) -> list[str]:
    """What a deployment makes, for people."""
    azure = names.section(config)
    group, where = names.resource_group(config), azure.azure_location
    lines = [
        f"resource group {group} in {where}, network {config.cloud_config_nsg_rules.vnet_range}"
    ]
    lacking = {key(one) for one in made.resources}
    new = [vm for vm in vms if (resources.VM.lower(), vm.name) in lacking]
    for (role, size, spot), count in Counter((vm.role, vm.size, vm.spot) for vm in new).items():
        lines.append(f"{count} {role} of size {size}{', spot' if spot else ''}")
    if (resources.SCALE_SET.lower(), names.scale_set(config)) in lacking:
        words = f"a scale set of {azure.worker_node_num} workers of size {azure.worker_vm_size}"
        lines.append(words)
    kinds = Counter(one["type"].partition("/")[2] for one in made.resources)
    lines.append(", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "nothing to make")
    return lines
