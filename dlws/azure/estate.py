"""The cluster's machines as Azure has them; a cluster of 500 takes no more than ten questions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dlws.azure.template import names
from dlws.azure.template.machines import is_gpu
from dlws.core import nodeset
from dlws.core.errors import UsageError
from dlws.core.text import columns

if TYPE_CHECKING:
    from dlws.azure.client import Azure

Rows = Mapping[str, Any]
_ORDER = ("infra", "worker", "mysqlserver", "elasticsearch", "nfs")


@dataclass(frozen=True)
class Machine:
    """One machine on Azure. One of a scale set has its number there in `instance`."""

    name: str
    role: str
    size: str
    state: str
    spot: bool
    zone: str
    private_ip: str
    public_ip: str
    fqdn: str
    scale_set: str = ""
    instance: str = ""

    def row(self) -> dict[str, Any]:
        return asdict(self)


def read(azure: Azure) -> list[Machine]:
    """The cluster's machines, by role and name."""
    with azure.translated("the machines cannot be read"):
        compute, network, group = azure.compute, azure.network, azure.group
        vms = list(azure.found(lambda: list(
            compute.virtual_machines.list(group, expand="instanceView"))) or ())  # fmt: skip
        ours = [vm for vm in vms if is_ours(azure, vm)]
        sets = _sets(azure)
        nics = _by_id(network.network_interfaces.list(group)) if ours else {}
        ips = _by_id(network.public_ip_addresses.list(group)) if ours else {}
        found = [_machine(vm, nics, ips) for vm in ours]
        for one in sets:
            found += _instances(azure, one)
    return sorted(found, key=lambda one: (_rank(one.role), one.name))


def is_ours(azure: Azure, resource: Rows) -> bool:
    """Whether a resource carries this cluster's tags."""
    tags = resource.get("tags") or {}
    return bool(tags.get(names.CLUSTER) == azure.config.cluster_name
                and tags.get(names.MANAGER) == names.OURS)  # fmt: skip


def _rank(role: str) -> int:
    return _ORDER.index(role) if role in _ORDER else len(_ORDER)


def _by_id(rows: Iterable[Rows]) -> dict[str, Rows]:
    return {row["id"].lower(): row for row in rows}


def _machine(vm: Rows, nics: Mapping[str, Rows], ips: Mapping[str, Rows]) -> Machine:
    body = vm["properties"]
    first = body["networkProfile"]["networkInterfaces"][0]["id"].lower()
    config = nics[first]["properties"]["ipConfigurations"][0]["properties"] if first in nics else {}
    public = ips.get((config.get("publicIPAddress") or {}).get("id", "").lower(), {})
    about = public.get("properties") or {}
    return Machine(
        name=vm["name"],
        role=vm["tags"].get(names.ROLE, ""),
        size=body["hardwareProfile"]["vmSize"],
        state=_state(body),
        spot=body.get("priority") == "Spot",
        zone=",".join(vm.get("zones") or ()),
        private_ip=config.get("privateIPAddress", ""),
        public_ip=about.get("ipAddress", ""),
        fqdn=(about.get("dnsSettings") or {}).get("fqdn", ""),
    )


def _state(body: Rows) -> str:
    """running, stopped (paid for), deallocated (not paid for), ...; failed where it was not made"""
    statuses = (body.get("instanceView") or {}).get("statuses") or ()
    power = [one["code"].partition("/")[2] for one in statuses if one["code"].startswith("Power")]
    if body.get("provisioningState") == "Failed":
        return "failed"
    return power[0] if power else str(body.get("provisioningState") or "unknown").lower()


def _sets(azure: Azure) -> list[Rows]:
    """The cluster's scale sets; nobody is asked where the configuration has none."""
    if not azure.section.worker_scale_set:
        return []
    listed = azure.compute.virtual_machine_scale_sets.list
    found = azure.found(lambda: list(listed(azure.group)))
    return [one for one in found or () if is_ours(azure, one)]


def _instances(azure: Azure, one: Rows) -> list[Machine]:
    name, group = one["name"], azure.group
    rows = azure.compute.virtual_machine_scale_set_vms.list(group, name, expand="instanceView")
    private, public = _addresses_in(azure, name)
    profile = one["properties"]["virtualMachineProfile"]
    return [
        Machine(
            name=row["properties"]["osProfile"]["computerName"],
            role=one["tags"].get(names.ROLE, "worker"),
            size=row["sku"]["name"],
            state=_state(row["properties"]),
            spot=profile.get("priority") == "Spot",
            zone=",".join(row.get("zones") or ()),
            private_ip=private.get(row["instanceId"], ""),
            public_ip=public.get(row["instanceId"], ""),
            fqdn="",
            scale_set=name,
            instance=row["instanceId"],
        )
        for row in rows
    ]


def _addresses_in(azure: Azure, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The private and the public addresses of a scale set's instances, by their numbers."""
    network, group = azure.network, azure.group
    nics = network.network_interfaces.list_virtual_machine_scale_set_network_interfaces
    ips = network.public_ip_addresses.list_virtual_machine_scale_set_public_ip_addresses
    private = {}
    for nic in nics(group, name):
        first = nic["properties"]["ipConfigurations"][0]["properties"]
        owner = _instance(nic["properties"]["virtualMachine"]["id"])
        private[owner] = first.get("privateIPAddress", "")
    public = {_instance(ip["id"]): ip["properties"].get("ipAddress", "") for ip in ips(group, name)}
    return private, public


def _instance(where: str) -> str:
    """The number of an instance in an id of something that it has."""
    parts = where.split("/")
    place = [part.lower() for part in parts].index("virtualmachines")
    return parts[place + 1]


def chosen(machines: Sequence[Machine], patterns: Sequence[str]) -> list[Machine]:
    """The machines that fit a pattern each of which fits some: names, roles, node sets."""
    found: dict[str, Machine] = {}
    for pattern in patterns:
        fits = [one for one in machines if _fits(one, pattern)]
        if not fits:
            have = nodeset.fold(one.name for one in machines) or "none"
            raise UsageError(f"{pattern}: no such machine", f"the machines are: {have}")
        found |= {one.name: one for one in fits}
    return [one for one in machines if one.name in found]


def of_size(machines: Sequence[Machine], size: str) -> list[Machine]:
    """These machines; raises UsageError where one is of another size."""
    if other := next((one for one in machines if one.size.lower() != size.lower()), None):
        raise UsageError(f"{other.name} is of size {other.size}, not {size}",
                         "name machines of one size; the command `list` shows it")  # fmt: skip
    return list(machines)


def _fits(one: Machine, pattern: str) -> bool:
    return nodeset.matches(pattern, (one.name, one.role, "all"))


def shown(machines: Sequence[Machine], output: str) -> str:
    """The machines as json, or for people."""
    if output == "json":
        return json.dumps([one.row() for one in machines], indent=2)
    return table(machines)


def table(machines: Sequence[Machine]) -> str:
    """The machines for people."""
    head = ("name", "role", "size", "gpu", "state", "price", "zone", "private", "public", "fqdn")
    rows = [
        (one.name, one.role, one.size, "gpu" if is_gpu(one.size) else "-", one.state,
         "spot" if one.spot else "regular", one.zone or "-", one.private_ip or "-",
         one.public_ip or "-", one.fqdn or "-")
        for one in machines
    ]  # fmt: skip
    return columns([head, *rows])
