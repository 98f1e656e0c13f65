"""Users and passwords of registries: those of config.yaml, and that of the cluster's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

from dlws.config.addresses import hosts_file
from dlws.config.registry import HUB, registry_of, server_name
from dlws.secrets.redaction import revealed

if TYPE_CHECKING:
    from dlws.config import Config
    from dlws.config.registry import OurRegistry
    from dlws.nodes.cluster import Cluster

USER = "dlws"
"""Who pushes to the cluster's own registry, where config.yaml names nobody."""
PASSWORD = "registry/password"
"""That user's password, below deploy/: made when the registry is started."""


class Credential(NamedTuple):
    user: str
    password: str


def credentials(cluster: Cluster) -> dict[str, Credential]:
    """By the names of registries; that of the cluster's own by all names that lead to it."""
    registry = registry_of(cluster.config, hosts_file(cluster.directory))
    return everywhere(given(cluster.config), registry, _made(cluster, registry))


def given(config: Config) -> dict[str, Credential]:
    """Those of config.yaml; registry_credential comes before private ones."""
    found: dict[str, Credential] = {}
    for table in (config.private_docker_credential, config.registry_credential):
        for name, row in table.items():
            if row.username and row.password:
                found[host_of(name)] = Credential(row.username, revealed(row.password) or "")
    return found


def host_of(key: str) -> str:
    """The registry that a key of registry_credential means; one word is a name at Docker Hub."""
    name = server_name(key)
    return name if name == "localhost" or any(letter in name for letter in ".:") else HUB


def everywhere(
    known: Mapping[str, Credential], registry: OurRegistry | None, made: Credential | None = None
) -> dict[str, Credential]:
    """The same, and the one for our own registry by all names that lead to it."""
    places = registry.places if registry else ()
    own = next((known[place] for place in places if place in known), made)
    return {**known, **(dict.fromkeys(places, own) if own else {})}


def _made(cluster: Cluster, registry: OurRegistry | None) -> Credential | None:
    """The login that was made for the registry, where config.yaml names none for it."""
    path = cluster.deploy / PASSWORD
    if not registry or registry.login or not path.exists():
        return None
    return Credential(USER, cluster.run.vault.read(path).decode().strip())
