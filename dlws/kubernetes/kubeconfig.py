"""The administrator's kubeconfig: fetched, merged into a person's own, pointed at a live server."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.localfiles import write
from dlws.core.program import PROGRAM
from dlws.nodes import endpoint
from dlws.runs.plan import local
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

ADMIN = "/etc/kubernetes/admin.conf"
KUBECTL = ("kubectl", "--kubeconfig", ADMIN)
"""kubectl on an infra node."""
Kubeconfig = dict[str, Any]


def path(cluster: Cluster) -> Path:
    return cluster.deploy / "sshkey" / "admin.conf"


def fetch(cluster: Cluster, node: Node) -> bool:
    """Copy admin.conf from an infra node to deploy/sshkey, mode 0600; whether it changed."""
    content = node.read(sh("cat", ADMIN), sudo=True).out
    target = path(cluster)
    if target.exists() and cluster.run.vault.read(target) == content:
        target.chmod(0o600)
        return False
    # Its digest is not compared: the client's certificate is made anew with the cluster.
    if cluster.run.gate.admit(local(f"write {target}")):
        cluster.run.vault.write(target, content)
        cluster.run.console.changed(f"{target}")
    return True


def admin(cluster: Cluster) -> Kubeconfig:
    """The cluster's own kubeconfig, which may be encrypted."""
    return load(path(cluster), cluster.run.vault.read)


def load(source: Path, read: Callable[[Path], bytes] = Path.read_bytes) -> Kubeconfig:
    """A kubeconfig as data."""
    import yaml

    try:
        loaded = yaml.safe_load(read(source))
    except FileNotFoundError as error:
        raise DeployError(
            f"{source} is missing: there is no cluster yet, or it was made elsewhere",
            f"run: {PROGRAM} kubeadm init (on a running cluster it only fetches this file)",
        ) from error
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{source}: cannot read this kubeconfig: {error}") from error
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"{source}: this is not a kubeconfig", "move it away")
    return loaded


def merged(own: Kubeconfig, admin: Kubeconfig, name: str, server: str = "") -> Kubeconfig:
    """`own` with the cluster of `admin` as cluster, user and context NAME; all else stays.

    The current context stays, too, where there is one.
    """
    cluster = dict(admin["clusters"][0]["cluster"])
    if server:
        cluster["server"] = server
    user = admin["users"][0]["user"]
    entries = {
        "clusters": {"name": name, "cluster": cluster},
        "users": {"name": f"{name}-admin", "user": user},
        "contexts": {"name": name, "context": {"cluster": name, "user": f"{name}-admin"}},
    }
    result = {"apiVersion": "v1", "kind": "Config", **own}
    for kind, entry in entries.items():
        others = [e for e in (own.get(kind) or []) if e.get("name") != entry["name"]]
        result[kind] = [*others, entry]
    result["current-context"] = own.get("current-context") or name
    return result


def merge(cluster: Cluster, target: Path) -> bool:
    """Merge the cluster into a person's kubeconfig, with a backup; whether that changed it."""
    import yaml

    action = local(f"merge {cluster.config.cluster_name} into {target}")
    if cluster.run.options.dry_run and not path(cluster).exists():
        return not cluster.run.gate.admit(action)
    if cluster.run.vault.encrypted:
        raise Refused(
            f"{target} would hold in plain what is encrypted in deploy/; it was not changed",
            f"use: {PROGRAM} kubectl ARGS; or decrypt it first: {PROGRAM} secrets decrypt",
        )
    chosen = endpoint.api_endpoint(cluster)
    # This machine's /etc/hosts is its owner's: the name of three API servers is not in it.
    address = endpoint.inner_address(cluster.first)
    server = endpoint.Endpoint(address, chosen.port).url if chosen.in_hosts else ""

    own = load(target) if target.exists() else {}
    result = merged(own, admin(cluster), cluster.config.cluster_name, server)
    if result == own:
        return False
    if not cluster.run.gate.admit(action):
        return True
    if target.exists():
        backup = target.with_name(f"{target.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
        write(backup, target.read_bytes())
    # A link leads to the file that is really used, as with dotfiles kept elsewhere.
    write(target.resolve(), yaml.safe_dump(result, sort_keys=False).encode())
    cluster.run.console.say(f"merged {cluster.config.cluster_name} into {target}")
    return True


def redirected(admin: Kubeconfig, server: str) -> Kubeconfig:
    """A kubeconfig with another server for its cluster."""
    first = admin["clusters"][0]
    changed = {**first, "cluster": {**first["cluster"], "server": server}}
    return {**admin, "clusters": [changed, *admin["clusters"][1:]]}
