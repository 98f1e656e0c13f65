"""Have nodes pull images before jobs need them, many nodes at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.nodes.credentials import Credential, credentials
from dlws.registry.credentials import docker_config, server_of, wanted_images
from dlws.runs.plan import Planned
from dlws.shell.quoting import script, sh
from dlws.shell.registrywords import explained

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_FAILED = "failed: "
_NOBODY = Credential("", "")


def pull(cluster: Cluster, nodes: Sequence[Node], given: Sequence[str]) -> None:
    """Have each node pull the images that it lacks; what is there already is left alone."""
    images, console = wanted_images(cluster.config, given), cluster.run.console
    if not images:
        console.say("nothing to do: pre_download_images in config.yaml names no image")
        return
    known, kind = credentials(cluster), cluster.config.runtime

    def one(node: Node) -> int:
        there = node.read(script(template("registry/present.sh"), kind, *images), sudo=True)
        missing = [image for image in images if image not in split_lines(there.text)]
        if missing:
            _pull(node, kind, missing, known)
        return len(missing)

    title = f"pulling {images[0] if len(images) == 1 else f'{len(images)} images'}"
    outcomes = cluster.change_all(nodes, one, title)
    if not any(outcome.value for outcome in outcomes):
        console.say(f"nothing to do: {', '.join(images)} on {len(outcomes)} nodes already")


def _pull(node: Node, kind: str, images: Sequence[str], known: Mapping[str, Credential]) -> None:
    result = node.run(
        # The script comes before its input: a shell reads no more of it than it has to.
        sh("bash", "-c", template("registry/pull.sh"), "dlws", kind),
        stdin=stdin(images, known),
        sudo=True,
        check=False,
        title=f"pull {', '.join(images)}",
        live=True,
        planned=Planned(preview=tuple(f"pull {image}" for image in images)),
    )
    node.count_changes(result.out)
    if not result.ok:
        raise failure(result.complaint)


def stdin(images: Sequence[str], known: Mapping[str, Credential]) -> bytes:
    """What pull.sh reads: Docker's configuration, then three lines for each image."""
    lines = [docker_config(known)]
    for image in images:
        lines += [image, *known.get(server_of(image), _NOBODY)]
    return "".join(f"{line}\n" for line in lines).encode()


def failure(complaint: str) -> DeployError:
    """The error for the images that pull.sh could not have."""
    lines = [line for line in split_lines(complaint) if line.startswith(_FAILED)]
    told, cures = [], dict[str, None]()
    for line in lines or [complaint]:
        image, _, said = line.removeprefix(_FAILED).partition(": ")
        reason = explained(said or line)
        words = f"{reason.words} ({said})" if reason.words else said
        told.append(f"{image}: {words}" if said else line)
        cures[reason.cure] = None
    return DeployError("not pulled: " + "\n  ".join(told), "; ".join(cures))
