"""Deployments of a local Azure: a template is checked, then made layer by layer."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.arm import contract
from tests.support.arm.world import VM, Body, Refusal, World, key, parsed, resource_id

_RESOURCE_ID = re.compile(r"\[resourceId\((.*)\)\]")
_PARAMETER = re.compile(r"\[parameters\('(\w+)'\)\]")


@dataclass
class Operation:
    """One resource of a deployment."""

    id: str
    kind: str
    name: str
    version: str
    body: Body
    after: set[str]
    state: str = "Running"
    error: Body | None = None


@dataclass
class Deployment:
    """A deployment at work: each `step` makes all resources that wait for nothing."""

    name: str
    group: str
    operations: list[Operation] = field(default_factory=list)
    state: str = "Running"
    held: bool = False
    """Whether it makes nothing until it is let go."""

    def step(self, world: World) -> None:
        if self.state != "Running" or self.held:
            return
        waiting = {one.id for one in self.operations if one.state != "Succeeded"}
        ready = [one for one in self.operations
                 if one.state == "Running" and not one.after & waiting]  # fmt: skip
        made = []
        for one in reversed(ready):  # whoever lacks a dependsOn is found out
            try:
                made.append(world.put(one.id, one.body, one.version))
                one.state = "Succeeded"
            except Refusal as refusal:
                one.state, one.error = "Failed", refusal.error
        world.hardware.on([each for each in made if each["type"].lower() == VM])
        if not ready:
            failed = any(one.state == "Failed" for one in self.operations)
            self.state = "Failed" if failed else "Succeeded"

    def view(self) -> Body:
        body: Body = {"provisioningState": self.state, "mode": "Incremental"}
        if self.state == "Failed":
            packed = [{"code": "Conflict", "message": json.dumps({"status": "Failed", "error": {
                "code": "ResourceDeploymentFailure", "message": "see details",
                "details": [one.error]}})} for one in self.operations if one.error]  # fmt: skip
            body["error"] = {
                "code": "DeploymentFailed",
                "details": packed,
                "message": "At least one resource deployment operation failed.",
            }
        where = resource_id(self.group, "Microsoft.Resources/deployments", self.name)
        return {"id": where, "name": self.name, "type": "Microsoft.Resources/deployments",
                "properties": body}  # fmt: skip

    def rows(self) -> list[Body]:
        return [_row(at, one) for at, one in enumerate(self.operations)]


def _row(at: int, one: Operation) -> Body:
    target = {"id": one.id, "resourceType": one.kind, "resourceName": one.name}
    body: Body = {"provisioningState": one.state, "provisioningOperation": "Create",
                  "targetResource": target}  # fmt: skip
    if one.error:
        packed = {"status": "Failed", "error": {"code": "ResourceDeploymentFailure",
                  "message": "The resource operation completed with terminal provisioning state "
                  "'Failed'.", "details": [one.error]}}  # fmt: skip
        body |= {"statusCode": "Conflict", "statusMessage": packed}
    return {"id": f"{one.id}/op/{at}", "operationId": str(at), "properties": body}


def read(world: World, group: str, name: str, body: Body) -> Deployment:
    """Check a deployment, as Azure does before it begins."""
    if wrong := contract.of_body(contract.DEPLOYMENT, body):
        raise Refusal(400, "InvalidRequestContent", "; ".join(wrong))
    about, template = body["properties"], body["properties"]["template"]
    if about["mode"] != "Incremental":
        raise Refusal(400, "InvalidDeploymentMode", "this one takes nothing else")
    for known in ("$schema", "contentVersion", "resources"):
        if known not in template:
            raise Refusal(400, "InvalidTemplate", f"{known} is missing")
    values = _parameters(template.get("parameters", {}), about.get("parameters", {}))
    made = Deployment(name, group)
    for resource in template["resources"]:
        made.operations.append(_operation(group, _resolved(resource, group, values)))
    ids = [key(one.id) for one in made.operations]
    if len(ids) != len(set(ids)):
        raise Refusal(400, "InvalidTemplate", "a resource is defined twice")
    for one in made.operations:
        if one.after - set(ids):
            raise Refusal(400, "InvalidTemplate", f"{one.name} depends on what is not defined")
        one.after = {each.id for each in made.operations if key(each.id) in one.after}
    return made


def _parameters(declared: Body, given: Body) -> Body:
    for name in given:
        if name not in declared:
            raise Refusal(400, "InvalidTemplate", f"the parameter {name} is not declared")
    lacking = [name for name, one in declared.items() if name not in given]
    if lacking:
        raise Refusal(400, "InvalidTemplate", f"no value for {lacking[0]}")
    return {name: one["value"] for name, one in given.items()}


def _operation(group: str, resource: Body) -> Operation:
    if wrong := contract.of_resource(resource):
        raise Refusal(400, "InvalidTemplate", "; ".join(wrong))
    kind, name = resource["type"], resource["name"]
    body = {key: value for key, value in resource.items()
            if key not in ("type", "apiVersion", "name", "dependsOn")}  # fmt: skip
    after = {key(one) for one in resource.get("dependsOn", ())}
    return Operation(
        resource_id(group, kind, name), kind, name, resource["apiVersion"], body, after
    )


def _resolved(value: Any, group: str, values: Body) -> Any:
    if isinstance(value, dict):
        return {name: _resolved(item, group, values) for name, item in value.items()}
    if isinstance(value, list):
        return [_resolved(item, group, values) for item in value]
    if not isinstance(value, str) or not value.startswith("["):
        return value
    if found := _PARAMETER.fullmatch(value):
        if found[1] not in values:
            raise Refusal(400, "InvalidTemplate", f"there is no parameter {found[1]}")
        return values[found[1]]
    if found := _RESOURCE_ID.fullmatch(value):
        kind, *path = [word.strip().strip("'") for word in found[1].split(",")]
        return resource_id(group, kind, "/".join(path))
    raise Refusal(400, "InvalidTemplate", f"the expression {value} is not understood")


def what_if(world: World, made: Deployment) -> list[Body]:
    """What a deployment would change."""
    return [{"resourceId": one.id, "changeType": "Modify" if key(one.id) in world.resources
             else "Create"} for one in made.operations]  # fmt: skip


def is_resource(where: str) -> bool:
    try:
        parsed(where)
    except Refusal:
        return False
    return True
