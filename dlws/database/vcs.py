"""Virtual clusters: shares of the cluster's devices, by the names of their kinds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from dlws.core.errors import Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.database import acl, jobs
from dlws.database.client import Change, Database
from dlws.database.names import checked, quoted
from dlws.kubernetes.labels import gpu_labels

if TYPE_CHECKING:
    from dlws.config import Config, Machine

_SHARE = 0.9
"""Of processors and memory, what jobs may have; the rest is the system's."""


@dataclass(frozen=True)
class Vc:
    """A row of the table vc; None: not given, or NULL."""

    parent: str | None = None
    quota: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    resourceQuota: dict[str, Any] | None = None
    resourceMetadata: dict[str, Any] | None = None

    def columns(self) -> dict[str, str]:
        """The columns that are given, as the table has them."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value if name == "parent" else json.dumps(value, ensure_ascii=False)
                for name, value in given.items() if value is not None}  # fmt: skip


def names(database: Database) -> list[str]:
    return list(map(str, database.column("SELECT vcName FROM vc ORDER BY id")))


def require(database: Database, name: str) -> None:
    """Raise UsageError where there is no such virtual cluster."""
    _require(names(database), name)


def _require(found: Collection[str], name: str) -> None:
    if name not in found:
        raise UsageError(
            f"there is no virtual cluster {name!r}", f"there are: {', '.join(found) or 'none'}"
        )


def known(database: Database) -> dict[str, dict[str, Any]]:
    """Name: parent and the JSON columns, read."""
    columns = ", ".join(quoted(one.name) for one in fields(Vc))
    rows = database.rows(f"SELECT vcName, {columns} FROM vc ORDER BY id")
    return {
        row.pop("vcName"): {key: value if key == "parent" else _read(value)
                            for key, value in row.items()}
        for row in rows
    }  # fmt: skip


def _read(text: str | None) -> Any:
    try:
        return json.loads(text) if text else None
    except (ValueError, RecursionError):
        return text  # an older tool wrote something else: shown as it is


def counts(words: tuple[str, ...]) -> dict[str, int] | None:
    """TYPE=COUNT of devices, as a quota; None where none is given."""
    found = {}
    for word in words:
        kind, sign, count = word.rpartition("=")
        if not (sign and kind and re.fullmatch(r"\d{1,9}", count, re.ASCII)):
            raise UsageError(
                f"{word!r} is no quota", "write TYPE=COUNT, such as nvidia_gpu_amd64=8"
            )
        found[kind] = int(count)
    return found or None


def document(name: str, text: str | None) -> dict[str, Any] | None:
    """A JSON object that a person gave; None where he gave none."""
    if text is None:
        return None
    try:
        found = json.loads(text)
    except ValueError as error:
        raise UsageError(f"--{name}: this is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"--{name} has to be a JSON object", "such as '{\"V100\": 8}'")
    return found


def addition(found: Mapping[str, dict[str, Any]], name: str, wanted: Vc) -> list[Change]:
    """What makes a virtual cluster; nothing where it is there and is just that."""
    checked("virtual cluster", name)
    if name in found:
        if _differs(found[name], wanted):
            raise UsageError(
                f"there is a virtual cluster {name!r} already, with other values",
                f"change it: {PROGRAM} vc update",
            )
        return []
    _check(found, name, wanted)
    return [_insert(name, wanted)]


def _insert(name: str, wanted: Vc) -> Change:
    row = {"quota": "{}", "metadata": "{}"} | wanted.columns()
    marks = ", ".join(["%s"] * (len(row) + 1))
    return Change(
        f"add the virtual cluster {name} with the quota {row['quota']}",
        f"INSERT INTO vc (vcName, {', '.join(map(quoted, row))}) VALUES ({marks})",
        (name, *row.values()),
    )


def update(found: Mapping[str, dict[str, Any]], name: str, wanted: Vc) -> list[Change]:
    """What gives a virtual cluster the values that are given."""
    _require(found, name)
    _check(found, name, wanted)
    row = wanted.columns()
    if not _differs(found[name], wanted):
        return []
    pairs = ", ".join(f"{quoted(column)} = %s" for column in row)
    told = ", ".join(f"{column} {value}" for column, value in row.items())
    return [Change(f"set {told} of the virtual cluster {name}",
                   f"UPDATE vc SET {pairs} WHERE vcName = %s", (*row.values(), name))]  # fmt: skip


def _differs(row: Mapping[str, Any], wanted: Vc) -> bool:
    return any(row.get(column) != getattr(wanted, column) for column in wanted.columns())


def _check(found: Mapping[str, dict[str, Any]], name: str, wanted: Vc) -> None:
    if len(wanted.columns().get("quota", "")) > 255:
        raise UsageError("the quota is longer than the 255 characters that its column has")
    above = wanted.parent
    while above is not None:
        if above == name or above not in found:
            why = "is in it" if above == name else "does not exist"
            raise UsageError(f"{wanted.parent!r} cannot be the parent of {name!r}: {above!r} {why}")
        above = found[above]["parent"]


def removal(database: Database, name: str) -> list[Change]:
    """What removes a virtual cluster, and the permissions in it. Refused: one with jobs."""
    found = known(database)
    if name not in found:
        return []
    if inner := [other for other, row in found.items() if row["parent"] == name]:
        raise Refused(f"{', '.join(inner)} belong to {name}", "remove those before")
    if running := jobs.unfinished(database, "vcName", name):
        raise Refused(f"{name} has {jobs.words(running)}", "end them, or wait until they end")
    if shares := database.column("SELECT url FROM storage WHERE vcName = %s", name):
        raise Refused(
            f"{name} has storage: {', '.join(shares)}", "remove that from the table storage"
        )
    return [
        Change(f"remove the permissions in {name}", "DELETE FROM acl WHERE resource = %s",
               (acl.resource(name),)),
        Change(f"remove the virtual cluster {name}", "DELETE FROM vc WHERE vcName = %s", (name,)),
    ]  # fmt: skip


def first(config: Config) -> Change:
    """The virtual cluster that a cluster begins with: all that its workers have."""
    return _insert(checked("virtual cluster", config.default_virtual_cluster_name), whole(config))


def whole(config: Config) -> Vc:
    """All devices of the workers, and what their sizes say of processors and memory."""
    quota: dict[str, int] = {}
    metadata: dict[str, dict[str, int]] = {}
    for machine in config.with_role("worker"):
        kind, number = devices(config, machine)
        if kind:
            quota[kind] = quota.get(kind, 0) + number
            metadata[kind] = {"num_gpu_per_node": number}
    sizes = _sizes(config)
    return Vc(None, quota, metadata, sizes or None)


def devices(config: Config, machine: Machine) -> tuple[str, int]:
    """The kind of a worker's devices and their number; no kind where it has none."""
    if machine.type not in ("gpu", "npu"):
        return "", 0
    return str(gpu_labels(config, machine)["gpuType"]), config.device_count(machine) or 0


def _sizes(config: Config) -> dict[str, dict[str, Any]]:
    """Processors, memory and devices by size of machine, as far as sku_mapping has them."""
    found: dict[str, dict[str, Any]] = {}
    workers = [machine.node_group or machine.sku for machine in config.with_role("worker")]
    for name in dict.fromkeys(workers):
        size, number = config.sku_mapping.get(name), workers.count(name)
        if not size:
            continue
        memory = re.fullmatch(r"(\d+)Gi", size.memory)
        amounts = {
            "cpu": math.floor(size.cpu * number * _SHARE) if size.cpu else None,
            "memory": f"{math.floor(int(memory[1]) * number * _SHARE)}Gi" if memory else None,
            "gpu": size.gpu * number if size.gpu else None,
            "gpu_memory": size.gpu_memory or None,
        }
        for what, amount in amounts.items():
            if amount is not None:
                found.setdefault(what, {})[name] = amount
    return found
