"""What images with contexts of ours are to be: their names, and what they would be built from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.core.localfiles import scratch
from dlws.images import folder, names
from dlws.images.survey import Survey

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def archtype(cluster: Cluster) -> str | None:
    """What --archtype would say for all machines: a list where they are of several kinds."""
    return names.ALL if len(names.architectures(cluster.config)) > 1 else None


def keys(cluster: Cluster, words: Sequence[str]) -> dict[str, dict[str, str]]:
    """By the name of an image: its references, each with the hash of what it is built from.

    The reference of a list of images has none. Nothing is built, and no engine asked.
    """
    config, kind = cluster.config, archtype(cluster)
    chosen = folder.named(config, cluster.directory, words)
    found: dict[str, dict[str, str]] = {one.name: {} for one in chosen}
    with scratch("dlws-contexts-") as place:
        survey = Survey(cluster, place, names.chosen(config, kind))
        for one in survey.of(chosen, ready=False):
            if one.named:
                job = survey.job(one)
                found[one.context.name][job.reference] = job.key
    if kind:
        for name, rows in found.items():
            rows[names.reference(config, name)] = ""
    return found
