"""Look for what would keep Azure from making the machines, before anything is made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

from dlws.azure.client import Azure
from dlws.azure.deployment import made_already
from dlws.azure.template import firewall, machines, names, resources
from dlws.azure.template.machines import Vm
from dlws.core.errors import CheckFailed, DeployError

PROVIDERS = ("Microsoft.Compute", "Microsoft.Network")
_QUOTA = "have the quota raised (portal: Subscriptions, Usage + quotas), or ask for less"
_SIZE = "choose another size, zone or azure_location in azure_cluster"


@dataclass(frozen=True)
class Finding:
    """One point that was looked at; without a cure, all is well."""

    point: str
    words: str
    cure: str = ""


class Facts:
    """What Azure says of a location, each asked for once."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure

    @cached_property
    def sizes(self) -> dict[str, Any]:
        """The sizes of machines by name, in small letters."""
        rows = self.azure.compute.resource_skus.list(filter=f"location eq '{self.azure.location}'")
        return {row["name"].lower(): row for row in rows
                if row.get("resourceType") == "virtualMachines"}  # fmt: skip

    @cached_property
    def usages(self) -> dict[str, Any]:
        rows = self.azure.compute.usage.list(self.azure.location)
        return {row["name"]["value"].lower(): row for row in rows}


def capabilities(size: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["value"] for one in size.get("capabilities") or ()}


def look(azure: Azure, vms: Sequence[Vm]) -> Iterator[Finding]:
    """All findings on these new machines; the first that cannot be looked at ends it."""
    with azure.translated("Azure cannot be asked"):
        found = azure.subscription
        yield Finding("subscription", f"{found.name} ({found.id})")
        yield from _providers(azure)
        facts = Facts(azure)
        yield from _sizes(facts, vms)
        yield from _quotas(facts, vms)
        yield from _images(azure, vms)
        yield from _names(azure, vms)
        yield _reach(azure)


def require(azure: Azure, vms: Sequence[Vm]) -> None:
    """Raise CheckFailed where new machines cannot be made; --force goes on."""
    if not vms:
        return
    wrong = [one for one in look(azure, vms) if one.cure and one.point != "access"]
    if not wrong:
        return
    for one in wrong:
        azure.session.console.warn(f"{one.point}: {one.words}\n  cure: {one.cure}")
    if not azure.session.options.force:
        raise CheckFailed(
            f"{len(wrong)} points are in the way; nothing was changed",
            "do what is said above; --force goes on in spite of it",
        )


def check(azure: Azure, vms: Sequence[Vm]) -> list[Finding]:
    """All findings; one that keeps the rest from being looked at is the last."""
    found: list[Finding] = []
    try:
        there = made_already(azure)
        new = [vm for vm in vms if (resources.VM.lower(), vm.name) not in there]
        if (resources.SCALE_SET.lower(), names.scale_set(azure.config)) not in there:
            new += machines.members(azure.config)
        found.extend(look(azure, new))
    except DeployError as error:
        # extend() keeps what was yielded before the error.
        found.append(Finding("login", error.message, error.cure or "correct what it says"))
    return found


def _providers(azure: Azure) -> Iterator[Finding]:
    for name in PROVIDERS:
        state = azure.groups.providers.get(name)["registrationState"]
        good = state == "Registered"
        cure = "" if good else f"az provider register --namespace {name}"
        yield Finding("provider", f"{name} is {state.lower()}", cure)


def _sizes(facts: Facts, vms: Iterable[Vm]) -> Iterator[Finding]:
    where = facts.azure.location
    for size, zone in dict.fromkeys((vm.size, vm.zone) for vm in vms):
        found = facts.sizes.get(size.lower())
        place = f"{where}, zone {zone}" if zone else where
        if found is None:
            yield Finding("size", f"{size}: {where} has no such size", _SIZE)
        elif reason := _restricted(found, zone):
            yield Finding("size", f"{size} is not for you in {place}: {reason}", _SIZE)
        else:
            yield Finding("size", f"{size} is there in {place}")


def _restricted(size: Mapping[str, Any], zone: str) -> str:
    """Why a size is not to be had: everywhere in the location, or in a zone of it."""
    for one in size.get("restrictions") or ():
        zones = (one.get("restrictionInfo") or {}).get("zones") or ()
        if one["type"] == "Location" or zone in zones:
            return str(one.get("reasonCode") or "restricted")
    offered = [zone for info in size.get("locationInfo") or () for zone in info.get("zones") or ()]
    return "it is in no such zone" if zone and zone not in offered else ""


def _quotas(facts: Facts, vms: Iterable[Vm]) -> Iterator[Finding]:
    needed = Counter[str]()
    for vm in vms:
        size = facts.sizes.get(vm.size.lower())
        cores = int(capabilities(size).get("vCPUs", 0)) if size else 0
        families = ["lowPriorityCores"] if vm.spot else [size["family"] if size else "", "cores"]
        needed.update({family: cores for family in families if cores})
    for family, cores in needed.items():
        usage = facts.usages.get(family.lower())
        if usage is None:
            continue
        left = int(usage["limit"]) - int(usage["currentValue"])
        name = usage["name"].get("localizedValue") or family
        words = f"{name}: {cores} needed, {max(0, left)} of {usage['limit']} left"
        yield Finding("quota", words, "" if cores <= left else _QUOTA)


def _images(azure: Azure, vms: Iterable[Vm]) -> Iterator[Finding]:
    for image in dict.fromkeys(vm.image for vm in vms):
        if image.startswith("/"):
            continue
        found = azure.found(partial(_image, azure, *image.split(":")))
        words = f"{image} is there" if found else f"{azure.location} has no image {image}"
        yield Finding("image", words, "" if found else "correct azure_cluster.vm_image")


def _image(azure: Azure, publisher: str, offer: str, sku: str, version: str) -> Any:
    images, where = azure.compute.virtual_machine_images, (azure.location, publisher, offer, sku)
    if version == "latest":
        return images.list(*where, top=1, orderby="name desc")
    return images.get(*where, version)


def _names(azure: Azure, vms: Sequence[Vm]) -> Iterator[Finding]:
    config = azure.config
    given = [("resource group", azure.group), ("virtual network", names.vnet(config)),
             ("security group", names.nsg(config)), ("security group", names.nfs_nsg(config)),
             *(("machine", vm.name) for vm in vms),
             *(("public name", names.dns_label(config, vm.name)) for vm in vms)]  # fmt: skip
    bad = [(kind, name) for kind, name in dict.fromkeys(given) if names.illegal(kind, name)]
    for kind, name in bad:
        yield Finding("name", f"{name} is not a name for a {kind}", "correct it in azure_cluster")
    taken = list(_taken(azure, vms))
    for label in taken:
        words = f"the public name {label} is taken in {azure.location}"
        yield Finding("name", words, "set azure_cluster.dns_prefix to a name of your own")
    if not bad and not taken:
        yield Finding("name", f"{len(vms)} machines have names that are free")


def _taken(azure: Azure, vms: Iterable[Vm]) -> Iterator[str]:
    """The public names that others have. One of our own that is there already is ours."""
    public = {names.public_ip(vm.name): names.dns_label(azure.config, vm.name)
              for vm in vms if vm.public}  # fmt: skip
    listed = azure.found(lambda: list(azure.network.public_ip_addresses.list(azure.group)))
    own = {one["name"] for one in listed or ()}
    for name, label in public.items():
        if name not in own:
            free = azure.network.check_dns_name_availability(
                azure.location, domain_name_label=label
            )
            if not free["available"]:
                yield label


def _reach(azure: Azure) -> Finding:
    found = firewall.rules(azure.config, names.nsg(azure.config))
    if any("22" in rule.ports or firewall.ANY in rule.ports for rule in found):
        return Finding("access", "SSH is let in from " + ", ".join(_sources(found)))
    return Finding(
        "access",
        "nobody outside the virtual network reaches the machines by SSH",
        "name your own network: cloud_config_nsg_rules.dev_network.source_addresses_prefixes",
    )


def _sources(rules: Iterable[firewall.Rule]) -> Iterable[str]:
    return dict.fromkeys(one for rule in rules if "22" in rule.ports for one in rule.sources)
