"""Take machines away: workers with all that is theirs, or everything that is the cluster's."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from dlws.azure import estate, power
from dlws.azure.client import again
from dlws.azure.deployment import check_group
from dlws.azure.estate import Machine
from dlws.core.errors import Refused, UsageError
from dlws.core.nodeset import fold
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.azure.client import Azure


def check_workers(machines: Sequence[Machine]) -> None:
    """Raise Refused for machines that are no workers."""
    if others := [one.name for one in machines if one.role != "worker"]:
        raise Refused(f"{fold(others)}: no workers; nothing was changed",
                      "name workers alone; the whole cluster: delete")  # fmt: skip


def workers(azure: Azure, machines: Sequence[Machine]) -> None:
    """Delete workers; their interfaces, addresses and disks were made to go with them."""
    session = azure.session
    check_workers(machines)
    if not session.gate.admit(*(plan.local(f"delete {one.name}") for one in machines)):
        return
    session.run.begin()
    begins, ends = {}, {}
    for one in machines:
        vms, sets = azure.compute.virtual_machines, azure.compute.virtual_machine_scale_sets
        begin = partial(vms.begin_delete, azure.group, one.name)
        if one.scale_set:
            ids = {"instanceIds": [one.instance]}
            begin = partial(sets.begin_delete_instances, azure.group, one.scale_set, ids)
        begins[one.name] = begin
        ends[one.name] = partial(session.console.changed, "deleted", one.name)
    failed = azure.all_of("deleted", lambda name: begins[name](), ends)
    power.raise_failures(failed, "removeworkers " + " ".join(failed))


def everything(azure: Azure) -> list[str]:
    """What is in the resource group; raises Refused where something of it is not this cluster's."""
    with azure.translated("the resource group cannot be read"):
        group = azure.found(lambda: azure.groups.resource_groups.get(azure.group))
        if group is None:
            raise UsageError(f"there is no resource group {azure.group}", "nothing to delete")
        check_group(azure, group)
        rows = list(azure.groups.resources.list_by_resource_group(azure.group))
    machines = {row["id"].lower() for row in rows if estate.is_ours(azure, row)}
    foreign = [row for row in rows if not estate.is_ours(azure, row) and not _goes(row, machines)]
    if foreign:
        shown = ", ".join(f"{row['type'].partition('/')[2]} {row['name']}" for row in foreign[:10])
        more = f" and {len(foreign) - 10} more" if len(foreign) > 10 else ""
        raise Refused(
            f"{azure.group} holds what is not this cluster's: {shown}{more}; nothing was changed",
            "move it to another group, or delete it yourself",
        )
    return [f"{row['type'].partition('/')[2]} {row['name']}" for row in rows]


def _goes(row: Any, machines: set[str]) -> bool:
    """Whether it is a disk that Azure made for one of our machines."""
    disk = row["type"].lower() == "microsoft.compute/disks"
    return disk and str(row.get("managedBy") or "").lower() in machines


def group(azure: Azure, wait: bool = True) -> None:
    """Delete the resource group with all that is in it."""
    session = azure.session
    if not session.gate.admit(plan.local(f"delete the resource group {azure.group}")):
        return
    session.run.begin()
    with azure.translated("the resource group was not deleted"):
        poller = azure.groups.resource_groups.begin_delete(azure.group)
        if not wait:
            session.console.say(f"Azure deletes it; see: {again('list')}")
            return
        poller.result()
    session.console.changed(f"deleted the resource group {azure.group}")
