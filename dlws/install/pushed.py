"""Whether registries have images: the cluster's own is asked on its node, others through an engine.

An administrator's machine without Docker sees what is missing, too, and one with Docker need not
trust the cluster's registry for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.config.addresses import hosts_file
from dlws.config.registry import registry_of
from dlws.core.errors import DeployError
from dlws.images import listing
from dlws.registry.labels import labels

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def pushed(cluster: Cluster, references: Sequence[str]) -> dict[str, str]:
    """By reference: yes, no, or unknown where a registry, its node or an engine says nothing."""
    own = registry_of(cluster.config, hosts_file(cluster.directory))
    inside = [one for one in references if own and one.startswith(f"{own.place}/")]
    others = [one for one in references if one not in inside]
    return {
        **(_inside(cluster, inside) if inside else {}),
        **(listing.pushed(cluster, others) if others else {}),
    }


def _inside(cluster: Cluster, references: Sequence[str]) -> dict[str, str]:
    try:
        there = labels(cluster, references)
    except DeployError as error:
        cluster.run.console.warn(f"the cluster's registry is not asked: {error.message}")
        return dict.fromkeys(references, listing.UNKNOWN)
    return {one: "yes" if one in there else "no" for one in references}
