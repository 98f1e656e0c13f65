"""The images that there are: names, references, contexts, and what is built and pushed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.core.localfiles import scratch
from dlws.images import commands, engine, folder, names
from dlws.images.folder import PREBUILD
from dlws.images.survey import Survey, Wanted

if TYPE_CHECKING:
    from dlws.images.engine import Engine
    from dlws.nodes.cluster import Cluster

AT_ONCE = 8
UNKNOWN = "unknown"
Row = dict[str, str]


def shown(cluster: Cluster, words: Sequence[str], archtype: str | None, output: str) -> str:
    """The images as a table or as JSON; an engine or registry that says nothing makes `unknown`."""
    rows = listed(cluster, words, archtype)
    if output == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False)
    keys = ("name", "reference", "built", "pushed", "context")
    table = [keys, *([row[key] for key in keys] for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(keys))]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)
    return "\n".join(lines)


def listed(cluster: Cluster, words: Sequence[str], archtype: str | None) -> list[Row]:
    """A row for each image; nothing is changed, and no prebuild.sh of anybody's is run."""
    chosen = folder.named(cluster.config, cluster.directory, words)
    targets = names.chosen(cluster.config, archtype)
    references = [names.reference(cluster.config, one.name) for one in chosen]
    with (
        scratch("dlws-contexts-") as place,
        engine.private(cluster) as docker,
        ThreadPoolExecutor(AT_ONCE) as pool,
    ):
        _log_in(cluster, docker, references)
        survey = Survey(cluster, place, targets)
        wanted = [one for one in survey.of(chosen, ready=False) if one.named]
        running = _runs(docker)
        found = list(pool.map(lambda one: _row(docker if running else None, survey, one), wanted))
    return sorted(found, key=lambda row: (row["name"].lower(), row["architecture"]))


def pushed(cluster: Cluster, references: Sequence[str]) -> dict[str, str]:
    """Whether registries have images, by reference: yes, no, or unknown where none says."""
    with engine.private(cluster) as docker, ThreadPoolExecutor(AT_ONCE) as pool:
        if not _runs(docker):
            return dict.fromkeys(references, UNKNOWN)
        _log_in(cluster, docker, references)
        found = pool.map(lambda one: _pushed(docker, one, ""), references)
        return dict(zip(references, found, strict=True))


def _log_in(cluster: Cluster, docker: Engine, references: Sequence[str]) -> None:
    """Log in where that works; what cannot be asked then is unknown."""
    for registry, known in engine.needed(cluster, references).items():
        try:
            engine.login(docker, registry, known)
        except DeployError as error:
            cluster.run.console.warn(error.message)


def _runs(docker: Engine) -> bool:
    try:
        return bool(docker.architecture)
    except DeployError:
        return False


def _row(docker: Engine | None, survey: Survey, one: Wanted) -> Row:
    reference = one.target.reference(one.context.name)
    there = docker.image(reference) if docker else None
    return {
        "name": one.context.name,
        "architecture": one.target.architecture,
        "reference": reference,
        "context": str(one.context.layers[0]),
        "built": _built(survey, one, there) if docker else UNKNOWN,
        "pushed": _pushed(docker, reference, there.id if there else "") if docker else UNKNOWN,
    }


def _built(survey: Survey, one: Wanted, there: commands.Local | None) -> str:
    if there is None:
        return "no"
    if one.context.of_checkout and PREBUILD in one.context.files:
        return "yes"  # from what is known once that has run, which a list does not do
    try:
        return "yes" if there.key == survey.job(one).key else "outdated"
    except DeployError:
        return UNKNOWN  # what its context says now cannot be built: `docker build` tells why


def _pushed(docker: Engine, reference: str, ours: str) -> str:
    try:
        remote = docker.remote(reference)
    except DeployError:
        return UNKNOWN
    return "no" if not remote else "yes" if not ours or ours in remote else "outdated"
