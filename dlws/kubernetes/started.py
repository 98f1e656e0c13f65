"""How a node's Kubernetes is started: the kubelet's settings, and static pods' arguments. Pure."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from dlws.core.errors import DeployError

LIMIT = 64 * 1024
"""Bytes of a file of a node that count; what templates/kubernetes/started.sh is told."""
_DEEPEST = 100
"""Levels of a file that count."""
PODS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "etcd")


@lru_cache(maxsize=64)
def read(name: str, text: str) -> Mapping[str, Any]:
    """What a file of a node holds, from base64; raises DeployError where it is no map."""
    try:
        return document(base64.b64decode(text))
    except ValueError as error:
        raise DeployError(f"the configuration of {name} cannot be read") from error


def document(content: bytes) -> dict[str, Any]:
    """The map that a YAML file of a node holds; ValueError where it is none that kubeadm writes."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_shape(yaml.parse(content, loader))
        found = yaml.load(content, loader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError("it is no YAML") from error
    if not isinstance(found, dict):
        raise ValueError("it is no map")
    return found


def _check_shape(events: Iterable[object]) -> None:
    """Raise ValueError for YAML that no kubeadm writes, and that would be the end of a reader.

    A few aliases of aliases are endless once they are written out, and libyaml's loader ends the
    program where thousands of lists lie in each other.
    """
    import yaml

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST or isinstance(event, yaml.AliasEvent):
            raise ValueError("it has aliases, or too many levels")


def flags(name: str, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The arguments in the manifest of a static pod."""
    try:
        words = [str(word) for word in manifest["spec"]["containers"][0]["command"]]
    except (KeyError, IndexError, TypeError) as error:
        raise DeployError(f"the manifest of {name} has no command") from error
    pairs = [word.removeprefix("--").partition("=") for word in words if word.startswith("--")]
    return {flag: value for flag, _, value in pairs}


def volumes(name: str, manifest: Mapping[str, Any]) -> dict[str, str]:
    """The paths of the node that a static pod sees, as `PATH at MOUNT`, by the volumes' names."""
    try:
        spec = manifest["spec"]
        paths = {one["name"]: one["hostPath"]["path"] for one in spec.get("volumes") or ()}
        mounts = spec["containers"][0].get("volumeMounts") or ()
        return {one["name"]: f"{paths.get(one['name'])} at {one['mountPath']}" for one in mounts}
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise DeployError(f"the manifest of {name} has volumes of another kind") from error
