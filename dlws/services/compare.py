"""Whether an object in the cluster is ours, and as its manifest wants it. Pure.

The API server keeps on record who set which field (managedFields). A field that we set and somebody
else has changed since is ours no more: so all of what we want is there, where all of it is ours.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dlws.kubernetes.objects import MANAGER
from dlws.services.manifests import HASH, SERVICE

if TYPE_CHECKING:
    from dlws.services.manifests import Object

Fields = Mapping[str, Any]
UNRECORDED = "APIService"
"""The kind of which API servers before 1.21 keep no record, and which they cannot apply: they
panic."""
_NAMES = ("apiVersion", "kind")
_RECORDS = ("managedFields", "resourceVersion", "generation")


def fields(live: Mapping[str, Any]) -> Fields | None:
    """The fields that we applied; None where we applied nothing."""
    for entry in live["metadata"].get("managedFields") or []:
        if (entry.get("manager"), entry.get("operation")) == (MANAGER, "Apply"):
            return dict(entry.get("fieldsV1") or {})
    return None


def is_ours(live: Mapping[str, Any], service: str) -> bool:
    """Whether we made the object for this service.

    A copy that somebody made of it has our label, and what controllers make may have it, too; but
    none of these was applied by us.
    """
    metadata = live["metadata"]
    labelled = (metadata.get("labels") or {}).get(SERVICE) == service
    ours = fields(live) is not None or live.get("kind") == UNRECORDED
    return labelled and ours and not metadata.get("ownerReferences")


def as_wanted(wanted: Object, live: Mapping[str, Any] | None) -> bool:
    """Whether nothing has to be done for this object."""
    if live is None or (live["metadata"].get("annotations") or {}).get(HASH) != wanted.hash:
        return False
    body = {key: value for key, value in wanted.body.items() if key not in _NAMES}
    metadata = {k: v for k, v in body["metadata"].items() if k not in ("name", "namespace")}
    mine = fields(live)
    body["metadata"] = metadata
    if mine is None and wanted.key.kind == UNRECORDED:
        return within(body, live)
    return mine is not None and owned(body, mine) and same_numbers(body, live)


def within(wanted: Any, live: Any) -> bool:
    """Whether all that is wanted is there; what else is there does not count."""
    if isinstance(wanted, dict) and isinstance(live, dict):
        return all(key in live and within(value, live[key]) for key, value in wanted.items())
    return bool(wanted == live)


def same_numbers(wanted: Mapping[str, Any], live: Mapping[str, Any]) -> bool:
    """Whether numbers and switches are as wanted, those in lists aside.

    Releases before 1.22 do not record who scaled a workload. Numbers are kept as they are given,
    which other values need not be (1000m of a processor becomes 1).
    """
    for key, value in wanted.items():
        has = live.get(key)
        if isinstance(value, dict) and isinstance(has, dict):
            if not same_numbers(value, has):
                return False
        elif isinstance(value, int) and isinstance(has, int) and value != has:
            return False
    return True


def content(live: Mapping[str, Any]) -> dict[str, Any]:
    """An object without what every request changes, or its controller."""
    metadata = {k: v for k, v in live["metadata"].items() if k not in _RECORDS}
    return {**live, "metadata": metadata, "status": None}


def owned(value: Any, mine: Fields) -> bool:
    """Whether all of a value is among the fields that we set; no fields: it is one as a whole."""
    if not isinstance(mine, dict):
        return False
    if not mine or not value or not isinstance(value, dict | list):
        return True
    if isinstance(value, dict):
        # An empty one, such as emptyDir: {}, is not on record.
        given = {f"f:{key}": item for key, item in value.items() if item not in ({}, [])}
        return all(key in mine and owned(item, mine[key]) for key, item in given.items())
    return all(any(owned(item, mine[key]) for key in mine if _names(key, item)) for item in value)


def _names(key: str, item: Any) -> bool:
    """Whether a key such as k:{"name":"web"} or v:"web" is that of an element of a list."""
    sort, _, text = key.partition(":")
    if sort not in ("k", "v"):
        return False
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    if sort == "v":
        return bool(said == item)
    # What an element leaves out has been filled in with its default, such as the protocol of a port
    return (
        isinstance(item, dict)
        and isinstance(said, dict)
        and all(item.get(k, v) == v for k, v in said.items())
    )
