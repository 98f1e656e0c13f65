"""cluster.yaml from the machines that are there: the same text as long as they are the same."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlws.azure import estate, preflight
from dlws.azure.estate import Machine
from dlws.azure.template import machines, names
from dlws.config.reading.load import FILES
from dlws.core import localfiles
from dlws.core.errors import Refused, UsageError
from dlws.core.localfiles import MIB
from dlws.runs import plan

if TYPE_CHECKING:
    from pathlib import Path

    from dlws.azure.client import Azure
    from dlws.config import Config

HEAD = (
    "# Written by az_tools.py genconfig from what is on Azure. What config.yaml says counts more.\n"
)
_MODELS = re.compile(r"_(T4|A10|A100|H100|H200|GB200|MI300X|RTXPRO6000BSE)(?=_|$)", re.IGNORECASE)
_OLDER = {"nc": {"v1": "K80", "v2": "P100", "v3": "V100"}, "nd": {"v1": "P40", "v2": "V100"},
          "nv": {"v1": "M60", "v3": "M60", "v4": "MI25"}}  # fmt: skip


def write(azure: Azure) -> None:
    """Write cluster.yaml, whole or not at all; nothing where it is so already."""
    session = azure.session
    found = estate.read(azure)
    if not found:
        raise UsageError(f"{azure.group} has no machines of this cluster", "make them: create")
    made = document(azure.config, found, _sizes(azure))
    made["sku_mapping"] = without(made["sku_mapping"], _older(session.options.directory))
    text = HEAD + dump(made)
    path = session.options.directory / "cluster.yaml"
    before = path.read_text() if path.exists() else ""
    if before == text:
        session.console.say("nothing to do: cluster.yaml is as Azure is")
        return
    if before and not is_ours(session.options.directory) and not session.options.force:
        raise Refused("cluster.yaml was not written by genconfig",
                      "move it away; or have it overwritten with --force")  # fmt: skip
    if session.gate.admit(plan.local(f"write cluster.yaml: {len(found)} machines", text)):
        session.run.begin()
        localfiles.write(path, text.encode(), 0o644)
        session.console.changed(f"cluster.yaml: {len(found)} machines")


def is_ours(directory: Path) -> bool:
    """Whether there is a cluster.yaml that genconfig wrote."""
    path = directory / "cluster.yaml"
    return path.exists() and path.read_text().startswith(HEAD)


def _older(directory: Path) -> Mapping[str, Any]:
    """What an azure_cluster_config.yaml says of sizes: it was read before, and is well-formed."""
    import yaml

    path = directory / FILES[-1]
    said = yaml.safe_load(localfiles.read(path, MIB)) if path.exists() else None
    return (said or {}).get("sku_mapping") or {}


def without(sizes: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of sizes, but for what a person has written, which cluster.yaml would hide."""
    own = {size: {key.replace("_", "-") for key in about} for size, about in given.items()}
    return {size: {key: value for key, value in about.items() if key not in own.get(size, ())}
            for size, about in sizes.items()}  # fmt: skip


def _sizes(azure: Azure) -> Mapping[str, Any]:
    with azure.translated("the sizes cannot be read"):
        return preflight.Facts(azure).sizes


def document(config: Config, found: Sequence[Machine], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """What cluster.yaml says."""
    azure = names.section(config)
    user = config.cloud_config_nsg_rules.default_admin_username
    jump = next((one.public_ip for one in found if one.role == "infra" and one.public_ip), "")
    made: dict[str, Any] = {"etcd_node_num": sum(one.role == "infra" for one in found)}
    if user and user != config.admin_username:
        made["admin_username"] = user
    if not azure.dns_prefix and any(one.fqdn for one in found):
        made["network"] = {"domain": names.domain(config)}
    made["machines"] = {one.name: _entry(one, jump, config) for one in found}
    if files := [one for one in found if one.role == "nfs"]:
        served = {one.name: _served(config, one) for one in files}
        made |= {"nfs_disk_mnt": served, "mountpoints": shares(config, served)}
    workers = Counter(one.size for one in found if one.role == "worker")
    made["worker_sku_cnt"] = dict(sorted(workers.items()))
    used = sorted({one.size for one in found})
    made["sku_mapping"] = {size: sku(size, sizes.get(size.lower(), {})) for size in used}
    return made


def _entry(one: Machine, jump: str, config: Config) -> dict[str, Any]:
    role = {"infra": "infrastructure"}.get(one.role, one.role)
    entry: dict[str, Any] = {"role": role, "private-ip": one.private_ip}
    if one.public_ip:
        entry["public-ip"] = one.public_ip
    elif jump:
        user = config.cloud_config_nsg_rules.default_admin_username or config.admin_username
        entry["jump_host"] = f"{user}@{jump}:22"
    entry["node-group"] = one.size
    if role == "worker":
        gpu = machines.is_gpu(one.size)
        entry |= {"type": "gpu", "vendor": "nvidia"} if gpu else {"type": "cpu"}
    return entry


def _served(config: Config, one: Machine) -> dict[str, Any]:
    azure = names.section(config)
    own = {names.machine(config, "nfs", vm.suffix): vm.data_disk_mnt_path
           for vm in azure.nfs_vm if vm.suffix}  # fmt: skip
    path = own.get(one.name) or azure.nfs_data_disk_path
    return {"path": path, "role": "nfs", "ip": one.private_ip, "fileshares": []}


def shares(config: Config, served: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """The shares of nfs_mnt_setup, each with its server; what a server has to serve is noted there.

    An entry names its server or the end of that name; the others take what is left, in order.
    """
    found: dict[str, Any] = {}
    chosen = [_server(config, entry, served) for entry in config.nfs_mnt_setup]
    rest = iter(sorted(set(served) - set(chosen)))
    for entry, named in zip(config.nfs_mnt_setup, chosen, strict=True):
        name = named or next(rest, "")
        if not name:
            raise UsageError("nfs_mnt_setup has more entries than there are file servers",
                             "raise azure_cluster.nfs_node_num, or remove an entry")  # fmt: skip
        for share, about in (entry.get("mnt_point") or {}).items():
            found[share] = _share(share, about, name, served[name])
    return found


def _server(config: Config, entry: Mapping[str, Any], served: Mapping[str, Any]) -> str:
    """The server that an entry names, if it does."""
    suffix = str(entry.get("server_suffix") or "")
    name = str(entry.get("server_name") or "")
    if suffix and not name:
        name = names.machine(config, "nfs", int(suffix) if suffix.isdecimal() else suffix)
    if name and name not in served:
        raise UsageError(f"nfs_mnt_setup: there is no file server {name}",
                         f"the file servers are: {', '.join(served)}")  # fmt: skip
    return name


def _share(
    share: str, about: Mapping[str, Any], name: str, server: dict[str, Any]
) -> dict[str, Any]:
    path, place = str(about.get("filesharename") or ""), server["path"].rstrip("/")
    if path != place and not path.startswith(f"{place}/"):
        raise UsageError(f"nfs_mnt_setup: {share}: {path or 'no filesharename'} is not in {place}, "
                         f"what {name} serves", f"write {place}/NAME")  # fmt: skip
    if path not in server["fileshares"]:
        server["fileshares"].append(path)
    return {**about, "type": "nfs", "server": server["ip"], "servername": name}


def sku(size: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """What a size has, as sku_mapping says it."""
    has = preflight.capabilities(about)
    found: dict[str, Any] = {}
    if "vCPUs" in has:
        found["cpu"] = int(has["vCPUs"])
    if "MemoryGB" in has:
        found["memory"] = f"{float(has['MemoryGB']):g}Gi"
    if int(has.get("GPUs", 0)):
        found["gpu"] = int(has["GPUs"])
    if kind := gpu_type(size):
        found["gpu-type"] = kind
    if has.get("RdmaEnabled") == "True":
        found["infiniband"] = True
    return found


def gpu_type(size: str) -> str:
    """The model of a size's GPUs, by its name; empty where it has none that is known."""
    if not machines.is_gpu(size):
        return ""
    if found := _MODELS.search(size):
        return found[1].upper()
    family = size.lower().removeprefix("standard_")[:2]
    version = re.search(r"_v(\d)$", size.lower())
    return _OLDER.get(family, {}).get(f"v{version[1]}" if version else "v1", "")


def dump(data: Mapping[str, Any]) -> str:
    import yaml

    return yaml.safe_dump(data, sort_keys=False, default_flow_style=False, width=1000)
