"""What stands around a virtual cluster's jobs: a namespace with limits and a network policy."""

from __future__ import annotations

from typing import Any

from jobplatform.manager.pods import JOB
from jobplatform.model.names import namespace

Built = tuple[str, str, dict[str, Any]]


CAPACITY = "1Ti"
"""Of volumes: a number has to stand there, and nobody looks at it."""


def around(vc: str, claim: str = "", on_nodes: str = "") -> list[Built]:
    """Kind, namespace and object, in the order in which they are made. With `on_nodes`, a volume
    of that directory of nodes, which jobs mount by the claim."""
    name = namespace(vc)
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    space = _object("v1", "Namespace", {"name": name, "labels": {**levels, "dlws.io/vc": name}})
    nothing = {"podSelector": {}, "policyTypes": ["Ingress"]}
    return [
        ("namespaces", "", space),
        ("limitranges", name, _limits(name)),
        ("networkpolicies", name, _policy(name, "deny", nothing)),
        ("networkpolicies", name, _policy(name, "same-vc", _same_namespace())),
        *(_share(name, claim, on_nodes) if on_nodes else []),
    ]


def _share(space: str, claim: str, on_nodes: str) -> list[Built]:
    """A volume that this claim alone can have. Jobs mount parts of it, each under its own name."""
    common = {"accessModes": ["ReadWriteMany"], "storageClassName": "", "volumeMode": "Filesystem"}
    volume = f"dlws-{claim}-{space}"
    spec = {
        **common, "capacity": {"storage": CAPACITY}, "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": on_nodes, "type": "Directory"},
        "claimRef": {"namespace": space, "name": claim},
    }  # fmt: skip
    asked = {**common, "resources": {"requests": {"storage": CAPACITY}}, "volumeName": volume}
    labels = {"dlws.io/vc": space}
    meta = {"name": claim, "namespace": space, "labels": labels}
    return [
        ("persistentvolumes", "",
         _object("v1", "PersistentVolume", {"name": volume, "labels": labels}, spec=spec)),
        ("persistentvolumeclaims", space,
         _object("v1", "PersistentVolumeClaim", meta, spec=asked)),
    ]  # fmt: skip


def _object(version: str, kind: str, meta: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "metadata": meta, **rest}


def _limits(name: str) -> dict[str, Any]:
    """Pods that came by another way have bounds, too."""
    default = {"cpu": "1", "memory": "1Gi"}
    limit = {"type": "Container", "default": default, "defaultRequest": default}
    return _object(
        "v1", "LimitRange", {"name": "dlws", "namespace": name}, spec={"limits": [limit]}
    )


def _policy(name: str, word: str, spec: dict[str, Any]) -> dict[str, Any]:
    meta = {"name": f"dlws-{word}", "namespace": name}
    return _object("networking.k8s.io/v1", "NetworkPolicy", meta, spec=spec)


def _same_namespace() -> dict[str, Any]:
    """Only jobs of the same virtual cluster reach each other."""
    jobs = {"matchExpressions": [{"key": JOB, "operator": "Exists"}]}
    return {"podSelector": jobs, "policyTypes": ["Ingress"],
            "ingress": [{"from": [{"podSelector": jobs}]}]}  # fmt: skip
