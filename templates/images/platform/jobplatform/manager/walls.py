"""What stands around a virtual cluster's jobs: a namespace with limits and a network policy."""

from __future__ import annotations

from typing import Any

from jobplatform.manager.pods import JOB
from jobplatform.model.names import namespace

Built = tuple[str, str, dict[str, Any]]


def around(vc: str) -> list[Built]:
    """Kind, namespace and object, in the order in which they are made."""
    name = namespace(vc)
    levels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    space = _object("v1", "Namespace", {"name": name, "labels": {**levels, "dlws.io/vc": name}})
    nothing = {"podSelector": {}, "policyTypes": ["Ingress"]}
    return [
        ("namespaces", "", space),
        ("limitranges", name, _limits(name)),
        ("networkpolicies", name, _policy(name, "deny", nothing)),
        ("networkpolicies", name, _policy(name, "same-vc", _same_namespace())),
    ]


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
