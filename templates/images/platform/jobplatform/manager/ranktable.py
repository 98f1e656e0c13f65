"""The rank table of HCCL, by which the NPUs of a job find each other. Which ones each worker has
is known only once the nodes' device plugin has said so, on the pods."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping, Sequence
from typing import Any

RESOURCES = {"huawei.com/Ascend910"}
PLACE, FILE = "/etc/dlws", "hccl.json"
_TOLD = ("ascend.kubectl.kubernetes.io/ascend-910-configuration",
         "atlas.kubectl.kubernetes.io/ascend-910-configuration")  # fmt: skip
"""Annotations of the device plugin, by its releases."""
WAIT = f"""n=0
until [ -s {PLACE}/{FILE} ]; do
  if [ $n -ge 180 ]; then
    echo "dlws: no rank table came within 180 s: the device plugin named no NPUs" >&2
    unset RANK_TABLE_FILE
    break
  fi
  n=$((n + 1)); sleep 1
done
exec /bin/sh -c "$0"
"""
"""The container's first script: the command, its next word, goes on when the table is there. It
is a file of its own that kubelet adds to the volume, within a minute or so."""

Device = tuple[int, str]


def told(annotations: Mapping[str, Any] | None) -> tuple[Device, ...]:
    """The devices of a pod, numbers and addresses; none where nothing that makes sense was said."""
    given = annotations or {}
    try:
        found = json.loads(next((given[key] for key in _TOLD if key in given), ""))["devices"]
        devices = {int(one["device_id"]): str(ipaddress.ip_address(one["device_ip"]))
                   for one in found}  # fmt: skip
    except (KeyError, RecursionError, TypeError, ValueError):
        return ()
    return tuple(sorted(devices.items())) if len(devices) == len(found) else ()


def table(servers: Sequence[tuple[str, Sequence[Device]]]) -> str:
    """The file for workers, of rank 0 first: each by the name that is its host's in the DNS."""
    rank, listed = 0, []
    for name, devices in servers:
        rows = [{"device_id": str(number), "device_ip": address, "rank_id": str(rank + index)}
                for index, (number, address) in enumerate(devices)]  # fmt: skip
        rank += len(devices)
        listed.append({"server_id": name, "device": rows})
    whole = {"version": "1.0", "server_count": str(len(listed)), "server_list": listed,
             "status": "completed"}  # fmt: skip
    return json.dumps(whole)
