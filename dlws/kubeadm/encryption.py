"""The key with which API servers keep Secrets in etcd: made here, the same on all infra nodes."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError
from dlws.kubeadm import controlplane
from dlws.kubernetes import started
from dlws.runs.plan import Action, local
from dlws.shell.files import File
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_KIND = "EncryptionConfiguration"
READ = '[ ! -e "$1" ] || cat "$1"'
"""Prints a file, and nothing where there is none."""


def path(cluster: Cluster) -> Path:
    """Where this devbox keeps the API servers' EncryptionConfiguration, which holds the key."""
    return cluster.deploy / "sshkey" / "encryption.yaml"


def file(content: bytes) -> list[File]:
    """It as a file of an infra node; none where Secrets are kept plain."""
    return [File(controlplane.ENCRYPTION, content, 0o600)] if content else []


def kept(cluster: Cluster) -> bytes:
    """What this devbox has; nothing where Secrets are plain or the key was made elsewhere."""
    place = path(cluster)
    return cluster.run.vault.read(place) if place.exists() else b""


def make(cluster: Cluster, node: Node) -> bytes:
    """The key for a new cluster that begins on `node`: the one there is, else a new one.

    A key that is there is never made anew: a backup of etcd may need it.
    """
    if not cluster.config.kubernetes.encrypt_secrets:
        return b""
    target = path(cluster)
    if target.exists():
        return kept(cluster)
    gate = cluster.run.gate
    if not gate.admit(local(f"write {target}")):
        place = controlplane.ENCRYPTION
        gate.announce([Action(node.name, "write", f"write: {place}", place)], "its key is made")
        return b""
    key = base64.b64encode(os.urandom(32)).decode()
    content = controlplane.encoded(controlplane.encryption(key))
    cluster.run.vault.write(target, content)
    cluster.run.console.changed(f"{target}")
    return content


def reading_only(content: bytes) -> bytes:
    """The same keys, for an API server that does not seal yet."""
    found = started.document(content) if content else {}
    for rule in found.get("resources") or ():
        rule["providers"] = [
            {"identity": {}},
            *(w for w in rule["providers"] if "identity" not in w),
        ]
    return controlplane.encoded(found) if content else b""


def of(cluster: Cluster, live: Node) -> bytes:
    """What a running cluster has, for one more API server; kept here where it was not."""
    found = _read(live)
    own = kept(cluster)
    if not own:
        _check_others(cluster, live, found)
    if not found or found == own:
        return found
    target = path(cluster)
    if own:
        raise DeployError(
            f"{live.name} has another {controlplane.ENCRYPTION} than {target}",
            f"move {target} away: what the running cluster has is fetched then",
        )
    check(live, found)
    if cluster.run.gate.admit(local(f"write {target}")):
        cluster.run.vault.write(target, found)
        cluster.run.console.changed(f"{target}")
    return found


def _check_others(cluster: Cluster, live: Node, found: bytes) -> None:
    """Raise DeployError where another infra node has another one: a node alone is not believed."""
    for node in cluster.infra:
        if node is live:
            continue
        try:
            other = _read(node)
        except DeployError:
            continue  # one that is away, and asked no more than this
        if other and other != found:
            raise DeployError(
                f"{live.name} and {node.name} have different {controlplane.ENCRYPTION}",
                f"see which of them is right, and bring it to {path(cluster)} (mode 0600)",
            )


def _read(live: Node) -> bytes:
    """What a node has there; nothing where there is no such file."""
    # Not as files are compared: those that only root may read are never asked for there.
    return live.read(script(READ, controlplane.ENCRYPTION), sudo=True).out


def _none(node: Node) -> DeployError:
    return DeployError(
        f"{controlplane.ENCRYPTION} on {node.name} is no {_KIND}",
        "look at it there, since API servers read it; then run the same line again",
    )


def check(node: Node, content: bytes) -> None:
    """Raise DeployError where a node has something else there than an EncryptionConfiguration."""
    try:
        found = started.document(content) if len(content) < started.LIMIT else {}
    except ValueError:
        found = {}
    rules = found.get("resources")
    if not rules or found.get("kind") != _KIND or not all(map(_is_rule, _listed(rules))):
        raise _none(node)


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [None]


def _is_rule(rule: object) -> bool:
    """Whether this says how resources are kept: by a list of providers, each a map."""
    ways = rule.get("providers") if isinstance(rule, dict) else None
    return bool(ways) and all(isinstance(way, dict) for way in _listed(ways))
