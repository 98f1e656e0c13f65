"""What Azure's SDK says of a body: keys, types, enums, what is required and what is read-only."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import Enum
from functools import cache
from types import ModuleType
from typing import Any, get_args, get_origin

from azure.mgmt.compute import models as compute
from azure.mgmt.network import models as network
from azure.mgmt.resource.deployments import models as deployments
from azure.mgmt.resource.resources import models as groups
from azure.mgmt.storage import models as storage

COMPUTE, NETWORK, DEPLOYMENTS, GROUPS = "2026-04-01", "2026-03-01", "2026-06-01", "2025-04-01"
STORAGE = "2026-09-01"
MODELS: dict[str, tuple[Any, str]] = {
    "microsoft.compute/virtualmachines": (compute.VirtualMachine, COMPUTE),
    "microsoft.compute/virtualmachinescalesets": (compute.VirtualMachineScaleSet, COMPUTE),
    "microsoft.compute/availabilitysets": (compute.AvailabilitySet, COMPUTE),
    "microsoft.network/virtualnetworks": (network.VirtualNetwork, NETWORK),
    "microsoft.network/networksecuritygroups": (network.NetworkSecurityGroup, NETWORK),
    "microsoft.network/networksecuritygroups/securityrules": (network.SecurityRule, NETWORK),
    "microsoft.network/natgateways": (network.NatGateway, NETWORK),
    "microsoft.network/publicipaddresses": (network.PublicIPAddress, NETWORK),
    "microsoft.network/networkinterfaces": (network.NetworkInterface, NETWORK),
    "microsoft.storage/storageaccounts": (storage.StorageAccountCreateParameters, STORAGE),
    "microsoft.storage/storageaccounts/blobservices/containers": (storage.BlobContainer, STORAGE),
}
"""The model of each type of resource, and the version that the SDK speaks."""
DEPLOYMENT, GROUP = deployments.Deployment, groups.ResourceGroup
_OPEN = {"VirtualMachineSizeTypes"}
"""Enums that the SDK itself says are not complete."""
_FRAME = {"type", "apiVersion", "name", "dependsOn"}
_NEEDS_LOCATION = {kind for kind in MODELS if kind.count("/") == 1}


def of_resource(resource: Mapping[str, Any]) -> list[str]:
    """What is wrong with a resource of a template."""
    lacking = [f"{key} is missing" for key in ("type", "apiVersion", "name") if key not in resource]
    if lacking:
        return lacking
    kind = resource["type"].lower()
    if kind not in MODELS:
        return [f"type: {resource['type']} is unknown"]
    model, version = MODELS[kind]
    found = [] if resource["apiVersion"] == version else [f"apiVersion: not {version}"]
    body = {key: value for key, value in resource.items() if key not in _FRAME}
    found += of_body(model, body)
    if kind in _NEEDS_LOCATION and "location" not in resource and "location: missing" not in found:
        found.append("location: missing")
    return found


def of_body(model: Any, body: Any) -> list[str]:
    """What is wrong with a body of this model."""
    return list(_of_model(model, body, ""))


@cache
def _fields(model: Any) -> dict[str, tuple[Any, Any]]:
    """Key → field and the type of its values."""
    model.__new__(model)  # reads the fields of its class
    return {
        field._rest_name: (field, _hints(model).get(name, Any))
        for name, field in model._attr_to_rest_field.items()
    }


def _hints(model: Any) -> dict[str, Any]:
    names: dict[str, ModuleType] = {"_models": _package(model)}
    return typing.get_type_hints(model, localns=names)


def _package(model: Any) -> ModuleType:
    import sys

    return sys.modules[model.__module__.rpartition(".")[0]]


def _of_model(model: Any, value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    known = _fields(model)
    for key, item in value.items():
        where = f"{path}.{key}".lstrip(".")
        if key not in known:
            yield f"{where}: unknown"
            continue
        field, kind = known[key]
        if field._visibility == ["read"]:
            yield f"{where}: read-only"
        else:
            yield from _of_value(kind, item, where)
    for key, (field, kind) in known.items():
        if key not in value and not _optional(kind) and field._visibility != ["read"]:
            yield f"{path}.{key}: missing".lstrip(".")


def _optional(kind: Any) -> bool:
    return kind is Any or type(None) in get_args(kind)


def _of_value(kind: Any, value: Any, path: str) -> Iterator[str]:
    choices = [one for one in get_args(kind) if one is not type(None)]
    origin = get_origin(kind)
    if origin is typing.Union:
        yield from _of_union(choices, value, path)
    elif origin is list:
        if not isinstance(value, list):
            yield f"{path}: not a list"
            return
        for at, item in enumerate(value):
            yield from _of_value(choices[0], item, f"{path}[{at}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{path}: not an object"
            return
        for key, item in value.items():
            yield from _of_value(choices[1], item, f"{path}.{key}")
    elif kind is not Any:
        yield from _of_plain(kind, value, path)


def _of_union(choices: list[Any], value: Any, path: str) -> Iterator[str]:
    enums = [one for one in choices if isinstance(one, type) and issubclass(one, Enum)]
    if enums and enums[0].__name__ not in _OPEN:  # such as str | Choices
        choices = enums
    found = [list(_of_value(one, value, path)) for one in choices]
    if all(found):
        yield from found[0]


def _of_plain(kind: Any, value: Any, path: str) -> Iterator[str]:
    if hasattr(kind, "_attr_to_rest_field") or hasattr(kind, "_calculated"):
        yield from _of_model(kind, value, path)
    elif isinstance(kind, type) and issubclass(kind, Enum):
        if value not in {one.value for one in kind}:
            yield f"{path}: {value!r} is none of {kind.__name__}"
    else:
        wanted = {float: (int, float), datetime: (str,)}.get(kind, (kind,))
        if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
            yield f"{path}: not {kind.__name__}"
