"""The administrator's kubeconfig: fetched, and merged into a person's own."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.localfiles import write
from dlws.core.program import PROGRAM
from dlws.kubernetes.credentials import Credentials, Kubeconfig, parse
from dlws.nodes import endpoint
from dlws.runs.plan import local
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

ADMIN = "/etc/kubernetes/admin.conf"
KUBECTL = ("kubectl", "--kubeconfig", ADMIN)
"""kubectl on an infra node."""
_KINDS = ("clusters", "users", "contexts")


def path(cluster: Cluster) -> Path:
    return cluster.deploy / "sshkey" / "admin.conf"


def fetch(cluster: Cluster, node: Node) -> bool:
    """Make deploy/sshkey/admin.conf, mode 0600, of an infra node's; whether that changed it."""
    source = f"{ADMIN} of {node.name}"
    cure = "find out who has changed it there: kubeadm writes nothing of the kind"
    found = parse(node.read(sh("cat", ADMIN), sudo=True).out, source, cure)
    server = endpoint.api_endpoint(cluster).url
    content, target = dump(found.kubeconfig(cluster.config.cluster_name, server)), path(cluster)
    if target.exists() and cluster.run.vault.read(target) == content:
        target.chmod(0o600)
        return False
    # Its digest is not compared: the client's certificate is made anew with the cluster.
    if cluster.run.gate.admit(local(f"write {target}")):
        cluster.run.vault.write(target, content)
        cluster.run.console.changed(f"{target}")
    return True


def credentials(cluster: Cluster) -> Credentials:
    """What is in the cluster's own kubeconfig, which may be encrypted."""
    source = path(cluster)
    cure = f"move it away, then run: {PROGRAM} kubeadm init (on a running cluster it only fetches)"
    if source.exists() and not source.is_file():
        raise UsageError(f"{source} is no file", cure)
    try:
        return parse(cluster.run.vault.read(source), str(source), cure)
    except FileNotFoundError as error:
        raise DeployError(
            f"{source} is missing: there is no cluster yet, or it was made elsewhere",
            f"run: {PROGRAM} kubeadm init (on a running cluster it only fetches this file)",
        ) from error
    except OSError as error:
        raise UsageError(f"{source}: cannot read this kubeconfig: {error}") from error


def admin(cluster: Cluster, server: str) -> Kubeconfig:
    """A kubeconfig for the cluster that leads to this API server."""
    return credentials(cluster).kubeconfig(cluster.config.cluster_name, server)


def dump(kubeconfig: Kubeconfig) -> bytes:
    import yaml

    return yaml.safe_dump(kubeconfig, sort_keys=False).encode()


def load(source: Path) -> Kubeconfig:
    """A person's own kubeconfig as data; nothing where there is none."""
    import yaml

    if not source.exists():
        return {}
    try:
        loaded = yaml.safe_load(source.read_bytes())
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"{source}: cannot read this kubeconfig: {error}") from error
    if loaded is None:
        return {}
    entries = [loaded.get(kind) or [] for kind in _KINDS] if isinstance(loaded, dict) else [None]
    if not all(
        isinstance(each, list) and all(isinstance(e, dict) for e in each) for each in entries
    ):
        raise UsageError(f"{source}: this is not a kubeconfig", "move it away")
    return dict(loaded)


def merged(own: Kubeconfig, ours: Credentials, name: str, server: str) -> Kubeconfig:
    """`own` with our cluster as cluster, context NAME and user NAME-admin; all else stays.

    The current context stays, too, where there is one.
    """
    added = ours.kubeconfig(name, server)
    result = {"apiVersion": "v1", "kind": "Config", **own}
    for kind in _KINDS:
        entry = added[kind][0]
        others = [e for e in (own.get(kind) or []) if e.get("name") != entry["name"]]
        result[kind] = [*others, entry]
    result["current-context"] = own.get("current-context") or name
    return result


def merge(cluster: Cluster, target: Path) -> bool:
    """Merge the cluster into a person's kubeconfig, with a backup; whether that changed it."""
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
    reached = endpoint.Endpoint(address, chosen.port) if chosen.in_hosts else chosen

    own = load(target)
    result = merged(own, credentials(cluster), cluster.config.cluster_name, reached.url)
    if result == own:
        return False
    if not cluster.run.gate.admit(action):
        return True
    if target.exists():
        backup = target.with_name(f"{target.name}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
        write(backup, target.read_bytes())
    # A link leads to the file that is really used, as with dotfiles kept elsewhere.
    write(target.resolve(), dump(result))
    cluster.run.console.say(f"merged {cluster.config.cluster_name} into {target}")
    return True


def client_settings(admin: Mapping[str, Any]) -> Any:
    """How the client library speaks to the server of a kubeconfig; through no proxy: those of the
    devbox's environment lead out, and not to the cluster's own addresses."""
    from kubernetes import config as kubernetes_config
    from kubernetes.client import Configuration

    settings: Any = Configuration()
    settings.proxy = None
    load: Any = kubernetes_config.load_kube_config_from_dict
    load(admin, client_configuration=settings, persist_config=False)
    # Every API server's certificate has this name, whichever way leads to it.
    settings.tls_server_name = "kubernetes"
    settings.retries = 0
    return settings
