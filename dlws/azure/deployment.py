"""A deployment: sent to Azure, watched resource by resource, and picked up again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlws.azure import faults
from dlws.azure.client import again
from dlws.azure.template import names
from dlws.core.errors import DeployError, Refused, SomeNodesFailed
from dlws.core.nodeset import fold

if TYPE_CHECKING:
    from dlws.azure.client import Azure
    from dlws.azure.template.build import Request

_ENDS = {"Succeeded", "Failed", "Canceled"}


@dataclass
class Progress:
    """What is known of a deployment: which resources are made, and why others are not."""

    name: str
    again: str
    """The line that makes the rest."""
    state: str = ""
    done: set[str] = field(default_factory=set)
    failed: dict[str, list[faults.Fault]] = field(default_factory=dict)
    """By type and name of the resource."""


def ensure_group(azure: Azure) -> None:
    """Make the resource group; raises Refused where it is there, and not this cluster's."""
    groups, tags = azure.groups.resource_groups, names.tags(azure.config)
    with azure.translated(f"the resource group {azure.group} cannot be made"):
        there = azure.found(lambda: groups.get(azure.group))
        if there is None:
            groups.create_or_update(azure.group, {"location": azure.location, "tags": tags})
            azure.session.console.changed(f"resource group {azure.group}")
        else:
            check_group(azure, there)


def check_group(azure: Azure, group: Any) -> None:
    """Raise Refused where a resource group is not of this cluster."""
    tags = dict(group.get("tags") or {})
    own = tags.get(names.CLUSTER)
    if own == azure.config.cluster_name and tags.get(names.MANAGER) == names.OURS:
        return
    whose = f"of the cluster {own}" if own else "not made by az_tools.py"
    mark = f"{names.CLUSTER}={azure.config.cluster_name} {names.MANAGER}={names.OURS}"
    raise Refused(
        f"the resource group {azure.group} is {whose}; nothing was changed",
        "set azure_cluster.resource_group to another name; or, if it is meant for this cluster: "
        f"az group update --name {azure.group} --set tags.{mark.replace(' ', ' tags.')}",
    )


def made_already(azure: Azure) -> set[tuple[str, str]]:
    """Type and name, in small letters, of all resources of the group that were made well."""
    listed = azure.groups.resources.list_by_resource_group
    with azure.translated("the resources of the group cannot be read"):
        found = azure.found(lambda: list(listed(azure.group, expand="provisioningState")))
    return {
        (one["type"].lower(), one["name"].lower())
        for one in found or ()
        if one.get("provisioningState", "Succeeded") != "Failed"
    }


def send(azure: Azure, request: Request, what: str = "create") -> None:
    """Have Azure begin a deployment; from here on it goes on by itself."""
    name = names.deployment(azure.config, what)
    azure.session.console.redactor.add(request.secrets.values())
    azure.session.run.write("deployment", name=name, group=azure.group)
    with azure.translated("Azure refuses the deployment"):
        azure.deployments.deployments.begin_create_or_update(
            azure.group, name, request.body, polling=False
        )


def running(azure: Azure) -> bool:
    """Whether a deployment of an earlier run is still at work."""
    with azure.translated("the deployment cannot be read"):
        found = azure.found(lambda: _get(azure, names.deployment(azure.config), {}))
    return found is not None and found["properties"]["provisioningState"] not in _ENDS


def _get(azure: Azure, name: str, headers: dict[str, str]) -> Any:
    def keep(response: Any) -> None:
        headers.clear()
        headers.update(response.http_response.headers)

    return azure.deployments.deployments.get(azure.group, name, raw_response_hook=keep)


def follow(azure: Azure, what: str = "create", line: str = "create") -> None:
    """Wait for the deployment, saying what is made as it is; raises where something failed.

    `line` is the command that makes the rest.
    """
    seen = Progress(names.deployment(azure.config, what), again(*line.split()))
    headers = dict[str, str]()
    with (
        azure.session.console.status(lambda: f"Azure has made {len(seen.done)} resources"),
        azure.translated("the deployment cannot be watched; it goes on in Azure"),
    ):
        while seen.state not in _ENDS:
            found = _get(azure, seen.name, headers)
            _note(azure, seen)
            seen.state = found["properties"]["provisioningState"]
            if seen.state not in _ENDS:
                azure.pause(headers)
    _judge(azure, seen, found["properties"].get("error"))


def _note(azure: Azure, seen: Progress) -> None:
    """Say what was made since it was looked at before."""
    console = azure.session.console
    for operation in azure.deployments.deployment_operations.list(azure.group, seen.name):
        for what, machine, state, said in _targets(operation):
            if state == "Succeeded" and what not in seen.done:
                seen.done.add(what)
                console.changed(what, node=machine)
            elif state == "Failed" and what not in seen.failed:
                seen.failed[what] = faults.faults(said) or [faults.Fault("Failed", "")]
                console.warn(f"failed: {what}: {'; '.join(map(str, seen.failed[what]))}")


def _targets(operation: Any) -> Iterator[tuple[str, str, str, Any]]:
    """Resource, its name where it is a machine, state, and what Azure said."""
    about: Mapping[str, Any] = operation["properties"]
    if target := about.get("targetResource"):
        kind, name = target["resourceType"], target["resourceName"]
        machine = name if kind.lower().endswith("/virtualmachines") else ""
        yield (
            f"{kind.rpartition('/')[2]} {name}",
            machine,
            about["provisioningState"],
            about.get("statusMessage"),
        )


def _judge(azure: Azure, seen: Progress, error: Any) -> None:
    if seen.state == "Succeeded":
        return
    if seen.state == "Canceled":
        raise DeployError("the deployment was cancelled", f"make the rest: {seen.again}")
    machines = [what.partition(" ")[2] for what in seen.failed if what.startswith("virtualM")]
    found = [one for several in seen.failed.values() for one in several] or faults.faults(error)
    cause = faults.error("the deployment failed", list(dict.fromkeys(found)))
    rest = f"the rest is made; then: {seen.again}"
    cure = f"{cause.cure}; {rest}" if cause.cure else rest
    if machines and len(machines) == len(seen.failed):
        words = cause.message.partition(": ")[2]
        raise SomeNodesFailed(f"not made: {fold(machines)}: {words}", cure)
    raise DeployError(cause.message, cure)


def what_if(azure: Azure, request: Request) -> list[tuple[str, str]]:
    """What Azure says that the deployment would change: kind of change, and resource."""
    body = {"properties": {**request.body["properties"]}}
    azure.session.console.redactor.add(request.secrets.values())
    name = names.deployment(azure.config)
    with azure.translated("Azure refuses the deployment"):
        azure.deployments.deployments.begin_validate(azure.group, name, body).result()
        found = azure.deployments.deployments.begin_what_if(azure.group, name, body).result()
    return [
        (change["changeType"], change["resourceId"].partition("/providers/")[2])
        for change in found["properties"].get("changes") or ()
    ]
