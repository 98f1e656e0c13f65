from __future__ import annotations

from typing import Any

ADMIN: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "atlas", "cluster": {"server": "https://10.1.0.1:6443"}}],
    "users": [{"name": "kubernetes-admin", "user": {"client-key-data": "c2VjcmV0"}}],
    "contexts": [{"name": "a@b", "context": {"cluster": "atlas", "user": "kubernetes-admin"}}],
    "current-context": "a@b",
}
