"""Copy images of other registries into ours, every architecture and digest as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlws.core.limits import PATIENT
from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.nodes.credentials import credentials
from dlws.registry.credentials import docker_config, full_name
from dlws.registry.pull import failure
from dlws.registry.start import configured, machine
from dlws.runs.plan import Planned
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.config.registry import OurRegistry
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_CHANGED = "changed: "


def ours(image: str, registry: OurRegistry) -> str:
    """What an image of another registry, by its full name, is called in ours."""
    host, _, rest = image.partition("/")
    name, _, digest = rest.partition("@")
    if ":" not in name.rpartition("/")[2]:
        name = f"{name}:{digest.removeprefix('sha256:')[:12]}"
    folder = host.rpartition(":")[0] or host
    return f"{registry.place}/{folder.strip('[]').replace(':', '-').lower()}/{name}"


def mirror(cluster: Cluster, given: Sequence[str]) -> None:
    """Copy images, on the registry's node; those that are the same there already stay."""
    registry, images = configured(cluster), list(dict.fromkeys(map(full_name, given)))
    known, node = credentials(cluster), machine(cluster, registry)
    pairs = {image: ours(image, registry) for image in images}
    stdin = "".join(
        f"{line}\n" for line in (docker_config(known), *(w for p in pairs.items() for w in p))
    ).encode()
    differing = _differing(cluster, stdin) if not cluster.run.dry_run else images
    if differing:
        _copy(node, stdin, {one: pairs[one] for one in differing})
    else:
        cluster.run.console.say("nothing to do: the registry has the same images")
    for image in images if not cluster.run.dry_run else ():
        cluster.run.console.data(f"{image} {pairs[image]}")


def _copy(node: Node, stdin: bytes, pairs: Mapping[str, str]) -> None:
    """Copy images to what they are called in ours."""
    result = node.run(
        sh("bash", "-c", template("registry/copy.sh"), "dlws", "copy"),
        stdin=stdin,
        sudo=True,
        check=False,
        title=f"copy {', '.join(pairs)}",
        planned=Planned(preview=tuple(f"copy {one} to {ours}" for one, ours in pairs.items())),
    )
    for row in split_lines(result.text):
        if row.startswith(_CHANGED):
            node.changed(row.removeprefix(_CHANGED))
    if not result.ok:
        raise failure(result.complaint)


def _differing(cluster: Cluster, stdin: bytes) -> list[str]:
    """The images that our registry lacks, or has otherwise."""
    node = machine(cluster, configured(cluster))
    line = sh("bash", "-c", template("registry/copy.sh"), "dlws", "check")
    result = node.read(line, stdin=stdin, sudo=True, check=False, bounds=PATIENT)
    if not result.ok:
        raise failure(result.complaint)
    return split_lines(result.text)
