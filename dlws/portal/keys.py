"""Secrets of the portal and its services that nobody gave: made once, kept in deploy/dashboard."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from dlws.runs.plan import local

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

PLACE = "deploy/dashboard"
_NAMES: Mapping[str, str] = {
    "jwt.key": "the key that tokens are signed with",
    "admin.token": "the token of the job platform's Administrator",
    "master.token": "the portal's own token",
    "admin.password": "the password of the administrator of Grafana",
    "logging.password": "the password of Elasticsearch",
}
ADMIN_TOKEN = "admin.token"


def lacking(cluster: Cluster, names: Iterable[str] = _NAMES) -> list[str]:
    """Those of the secrets that there are not; a key for tokens in config.yaml takes the place of
    ours."""
    given = {"jwt.key"} if cluster.config.jwt.secret_key else set()
    place = cluster.directory / PLACE
    return [name for name in names if name not in given and not (place / name).exists()]


def ensure(cluster: Cluster, names: Iterable[str] = _NAMES) -> None:
    """Make those of the secrets that there are not; those that there are stay."""
    for name in lacking(cluster, names):
        if cluster.run.gate.admit(local(f"make {PLACE}/{name}: {_NAMES[name]}")):
            cluster.run.journal()
            path = cluster.directory / PLACE / name
            cluster.run.vault.write(path, secrets.token_urlsafe(32).encode())
            cluster.run.console.changed(f"made {PLACE}/{name}: {_NAMES[name]}")
