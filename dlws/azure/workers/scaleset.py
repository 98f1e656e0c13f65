"""Workers that are one scale set: how many there are, and which of them Azure leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dlws.azure import estate, power
from dlws.azure.client import again
from dlws.azure.estate import Machine
from dlws.azure.template import names
from dlws.core.errors import UsageError
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.azure.client import Azure


def instances(azure: Azure) -> list[Machine]:
    """The instances of the workers' scale set, oldest first."""
    if not azure.section.worker_scale_set:
        raise UsageError("the workers are no scale set",
                         "set azure_cluster.worker_scale_set: true before `create`")  # fmt: skip
    found = [one for one in estate.read(azure) if one.scale_set]
    return sorted(found, key=lambda one: int(one.instance))


def check_size(azure: Azure, size: str) -> None:
    """Raise UsageError for a size that is not the scale set's: it has one alone."""
    own = azure.section.worker_vm_size
    if size.lower() != own.lower():
        raise UsageError(f"the scale set has workers of size {own}, not {size}",
                         f"name that size: {own}")  # fmt: skip


def surplus(machines: Sequence[Machine], number: int) -> list[Machine]:
    """The instances that leave where there are to be so many: the newest."""
    return list(machines[number:])


def grow(azure: Azure, number: int) -> None:
    """Have the scale set make instances until there are so many."""
    name, session = names.scale_set(azure.config), azure.session
    with azure.translated(f"the scale set {name} cannot be read"):
        sets = azure.compute.virtual_machine_scale_sets
        found = azure.found(lambda: sets.get(azure.group, name))
    if found is None:
        raise UsageError(f"there is no scale set {name}", f"make it: {again('create')}")
    before = found["sku"]["capacity"]
    if before >= number:
        session.console.say(f"nothing to do: {name} has {before} instances")
        return
    if not session.gate.admit(plan.local(f"grow {name} from {before} to {number} instances")):
        return
    session.run.begin()
    body = {"sku": {"name": found["sku"]["name"], "tier": "Standard", "capacity": number}}
    say = partial(session.console.changed, f"{name}: {number} instances, {before} before")
    failed = azure.all_of("grown", lambda _: sets.begin_update(azure.group, name, body),
                          {name: say})  # fmt: skip
    for error in failed.values():
        raise error


def protect(azure: Azure, machines: Sequence[Machine], on: bool) -> None:
    """Have Azure leave instances alone when it scales the set in or acts on all of it, or not."""
    session, word = azure.session, "protected" if on else "no longer protected"
    if others := [one.name for one in machines if not one.scale_set]:
        raise UsageError(f"{others[0]} is in no scale set", f"see: {again('vmss', 'list')}")
    api = azure.compute.virtual_machine_scale_set_vms
    wanted = {"protectFromScaleIn": on, "protectFromScaleSetActions": on}
    due = {one.name: (one, body) for one, body in _bodies(azure, machines)
           if _policy(body) != wanted}  # fmt: skip
    if not due:
        session.console.say("nothing to do: they are so already")
        return
    if not session.gate.admit(*(plan.local(f"have {name} {word}") for name in due)):
        return
    session.run.begin()

    def begin(name: str) -> Any:
        one, body = due[name]
        whole = {"location": body["location"], "properties": {"protectionPolicy": wanted}}
        return api.begin_update(azure.group, one.scale_set, one.instance, whole)

    ends = {name: partial(session.console.changed, word, name) for name in due}
    failed = azure.all_of(word, begin, ends)
    power.raise_failures(failed, " ".join(["vmss protect", *failed]))


def _policy(body: Mapping[str, Any]) -> dict[str, bool]:
    policy = body["properties"].get("protectionPolicy") or {}
    return {key: bool(policy.get(key)) for key in ("protectFromScaleIn",
                                                   "protectFromScaleSetActions")}  # fmt: skip


def _bodies(azure: Azure, machines: Sequence[Machine]) -> list[tuple[Machine, Any]]:
    listed = azure.compute.virtual_machine_scale_set_vms.list
    with azure.translated("the instances cannot be read"):
        rows = {(name, row["instanceId"]): row
                for name in dict.fromkeys(one.scale_set for one in machines)
                for row in listed(azure.group, name)}  # fmt: skip
    return [(one, rows[one.scale_set, one.instance]) for one in machines]
