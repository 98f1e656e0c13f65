"""What the images in the registry were built from: asked of its node, no engine is needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.registry.start import configured, machine
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster


def labels(cluster: Cluster, references: Sequence[str]) -> dict[str, str]:
    """The label dlws.context by the name of each image that is there; empty for lists of images."""
    registry = configured(cluster)
    start = f"{registry.place}/"
    inside = [one.removeprefix(start) for one in references if one.startswith(start)]
    line = script(template("registry/labels.sh"), registry.path, *inside)
    said = machine(cluster, registry).read(line, sudo=True).text
    rows = (row.partition("\t") for row in split_lines(said))
    return {f"{start}{image}": label for image, _, label in rows}
