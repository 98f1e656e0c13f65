"""Virtual clusters and their shares in the database."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from jobplatform.admission import Vc
from jobplatform.model import request, status
from jobplatform.store.people import Taken
from jobplatform.store.tables import acl, jobs, storage, vc

_MOST = 1e12
"""Processors that a quota may name: more is no number of them."""


class InUse(Exception):
    """Something still needs it."""


_SHOWN: Select[Any] = select(vc.c.vcName, vc.c.quota, vc.c.metadata, vc.c.resourceQuota)
_ROWS = _SHOWN.order_by(vc.c.id)
_NAMES = select(vc.c.vcName).order_by(vc.c.id)
_ONE = _SHOWN.where(vc.c.vcName == bindparam("name"))
_THERE = select(vc.c.id).where(vc.c.vcName == bindparam("name"))


def rows(connection: Connection) -> Sequence[Row[Any]]:
    return connection.execute(_ROWS).all()


def names(connection: Connection) -> Sequence[str]:
    return connection.execute(_NAMES).scalars().all()


def find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(_ONE, {"name": name}).first()


def there(connection: Connection, name: str) -> bool:
    return connection.execute(_THERE, {"name": name}).first() is not None


def add(connection: Connection, name: str, quota: Mapping[str, int], metadata: Any) -> None:
    if find(connection, name):
        raise Taken(f"there is a virtual cluster {name} already")
    values = {"vcName": name, "quota": json.dumps(dict(quota)), "metadata": json.dumps(metadata)}
    try:
        connection.execute(insert(vc).values(values))
    except IntegrityError as error:
        raise Taken(f"there is a virtual cluster {name} already") from error


def change(connection: Connection, name: str, quota: Mapping[str, int], metadata: Any) -> bool:
    values = {"quota": json.dumps(dict(quota)), "metadata": json.dumps(metadata)}
    return bool(connection.execute(update(vc).where(vc.c.vcName == name).values(values)).rowcount)


def remove(connection: Connection, name: str) -> bool:
    """Take it away with its rights and shares; not while it has jobs that have not ended."""
    left = and_(jobs.c.vcName == name, jobs.c.jobStatus.not_in(status.ENDED))
    count = connection.execute(select(func.count()).select_from(jobs).where(left)).scalar_one()
    if count:
        raise InUse(f"{name} has {count} jobs that have not ended")
    connection.execute(delete(acl).where(acl.c.resource == f"Cluster/VC:{name}"))
    connection.execute(delete(storage).where(storage.c.vcName == name))
    return bool(connection.execute(delete(vc).where(vc.c.vcName == name)).rowcount)


def used(connection: Connection) -> dict[str, dict[str, int]]:
    """What jobs hold of each virtual cluster: devices by kind, thousandths of processors as `cpu`.
    A job that is on its way out holds its own until its pods are gone."""
    leaving = and_(jobs.c.jobStatus.in_(status.STOPPING), jobs.c.placement.is_not(None))
    holding = or_(jobs.c.jobStatus.in_(status.PLACED), leaving)
    found = defaultdict[str, Counter[str]](Counter)
    for row in connection.execute(select(jobs.c.vcName, jobs.c.jobParams).where(holding)):
        try:
            asked = request.read(row.jobParams)
        except (RecursionError, ValueError):
            continue  # nobody can read it; the manager ends it
        found[row.vcName]["cpu"] += asked.cpu_millis * asked.workers
        if asked.device:
            found[row.vcName][asked.device] += asked.devices * asked.workers
    return {name: dict(amounts) for name, amounts in found.items()}


def shares(connection: Connection, name: str) -> Sequence[Row[Any]]:
    return connection.execute(select(storage).where(storage.c.vcName == name)).all()


def read(row: Row[Any]) -> Vc:
    """A row as the admission wants it. What is unreadable allows nothing."""
    quota, meta = _mapping(row.quota), _mapping(row.metadata)
    numbers = {kind: count for kind, count in quota.items() if _whole(count)}
    if _finite(quota.get("cpu")):
        numbers["cpu"] = int(quota["cpu"] * 1000)
    wide = _mapping(_mapping(row.resourceQuota).get("gpu"))
    numbers |= {kind: count for kind, count in wide.items() if _whole(count)}
    limit, admin = meta.get("user_quota"), meta.get("admin")
    policy = admin.get("scheduling_policy") if isinstance(admin, dict) else None
    return Vc(row.vcName, numbers, limit if _whole(limit) else None, policy == "FIFO")


def _mapping(given: Any) -> dict[str, Any]:
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except (RecursionError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value < _MOST
