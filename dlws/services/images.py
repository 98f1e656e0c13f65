"""The images that services need: which there are, where each is had from, and which are missing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.images import listing as images
from dlws.services import folder, seen
from dlws.services.listing import table
from dlws.services.values import Templates

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

Row = dict[str, Any]
"""An image: name, services, from, pushed (yes, no, unknown), reference."""


def show(cluster: Cluster, words: Sequence[str], output: str) -> None:
    """The images of services (of all that the cluster has machines for, where none is named).

    What nobody here brings is told with the ways to have it. No cluster is asked.
    """
    rows, console = _rows(cluster, words), cluster.run.console
    if output == "json":
        console.data(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        console.data(table(rows, ("image", "services", "from", "pushed", "reference")))
    if lacking := [row["image"] for row in rows if _lacks(row)]:
        console.warn(
            f"nothing here brings {', '.join(lacking)}: name a directory with its context "
            "(docker_sources) or its reference (dockers.container.NAME) in config.yaml, or make "
            f"templates/images/NAME/Dockerfile in {cluster.directory}"
        )
    if unpushed := [row["image"] for row in rows if (row["from"], row["pushed"]) == _UNPUSHED]:
        console.say(f"not pushed yet: {PROGRAM} docker push {' '.join(unpushed)}")


_UNPUSHED = (seen.CONTEXT, "no")


def _lacks(row: Row) -> bool:
    return bool(row["from"] == seen.NOWHERE and row["pushed"] != "yes")


def _rows(cluster: Cluster, words: Sequence[str]) -> list[Row]:
    services, templates = folder.load_all(cluster.directory), Templates(cluster)
    found: dict[tuple[str, str, str], list[str]] = {}
    for service in folder.named(services, words):
        if not words and not templates.fits(service):
            continue
        try:
            sources = templates.images(service)
        except UsageError as error:
            cluster.run.console.warn(f"{service.name}: {error.message}; cure: {error.cure}")
            continue
        for name, source in sources.items():
            reference = templates.reference(service, name)
            found.setdefault((name, source, reference), []).append(service.name)
    there = images.pushed(cluster, sorted({reference for _, _, reference in found}))
    return [
        {"image": name, "services": users, "from": source, "pushed": there[reference],
         "reference": reference}
        for (name, source, reference), users in sorted(found.items())
    ]  # fmt: skip
