"""Services for people and programs: which there are, how those in the cluster do, what they are."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dlws.config.addresses import address_of, hosts_file
from dlws.core.errors import CheckFailed, DeployError, UsageError
from dlws.core.program import PROGRAM
from dlws.kubernetes import objects
from dlws.runs.tables import plain
from dlws.services import folder, reasons, seen
from dlws.services.compare import as_wanted
from dlws.services.kinds import KEPT
from dlws.services.manifests import ANSWERS, masked
from dlws.services.rollout import goals
from dlws.services.survey import labels, owner
from dlws.services.values import Templates
from dlws.services.waiting import PODS
from dlws.services.work import Work

if TYPE_CHECKING:
    from pathlib import Path

    from dlws.nodes.cluster import Cluster
    from dlws.services.folder import Service
    from dlws.services.manifests import Object

Row = dict[str, Any]


def there_are(directory: Path, output: str) -> str:
    """The services that there are; no cluster is asked."""
    rows = [
        {
            "service": name,
            "needs": service.says.needs,
            "aliases": service.says.aliases,
            "nodes": _nodes(service),
            "description": service.says.description,
            "folders": [str(layer) for layer in service.layers],
        }
        for name, service in folder.load_all(directory).items()
    ]
    if output == "json":
        return json.dumps(rows, indent=2, ensure_ascii=False)
    return _table(rows, ("service", "needs", "nodes", "aliases", "description"))


def _nodes(service: Service) -> list[str]:
    """The nodes that it runs on: labels of theirs, and architectures."""
    return [*service.says.labels, *service.says.architectures]


def rendered(cluster: Cluster, words: Sequence[str]) -> str:
    """The objects of services as YAML, without secrets; no cluster is asked."""
    import yaml

    services = folder.load_all(cluster.directory)
    groups = folder.levels(folder.named(services, words), services)
    shown = folder.named(services, words)
    made, parts = Templates(cluster), []
    for service in (one for group in groups for one in group):
        for one in made.objects(service):  # of all: one may define a kind for the next
            text = yaml.safe_dump(masked(one.body), sort_keys=False, allow_unicode=True)
            parts += [f"---\n# Source: {one.source}\n{text}"] if service in shown else []
    return "".join(parts).rstrip("\n")


def check(cluster: Cluster, words: Sequence[str], output: str) -> None:
    """Show how services do; CheckFailed where one that is started, or is named, is not well."""
    with objects.connect(cluster) as api:
        work = Work(cluster, api)
        names = [one.name for one in folder.named(work.services, words)]
        if not words:
            names += [name for name in work.survey.inventories if name not in names]
        rows = _rows(work, names)
    if output == "json":
        cluster.run.console.data(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        shown = ("service", "state", "pods", "answers", "problems")
        cluster.run.console.data(_table(rows, shown))
    ill = [row["service"] for row in rows if row["problems"] or (words and row["state"] != "up")]
    if ill:
        raise CheckFailed(f"not all is well: {', '.join(ill)}")


def _rows(work: Work, names: Sequence[str]) -> list[Row]:
    started = [name for name in names if name in work.survey.inventories]
    work.survey.read_services(started)
    found = work.api.list(PODS, labels(started)) if started else []
    owners = work.survey.owners(started) if found else {}
    pods: dict[str, list[Row]] = {name: [] for name in names}
    for pod in found:
        if name := owner(pod, owners):
            pods[name].append(pod)
    return [_row(work, name, pods[name]) for name in names]


def _row(work: Work, name: str, pods: Sequence[Row]) -> Row:
    there = work.survey.ours(name, lambda one: one.kind.name not in KEPT)
    ready = sum(_ready(pod) for pod in pods)
    row: Row = {"service": name, "state": "stopped", "ready": ready, "pods": len(pods)}
    row |= {"answers": _answers(work, name), "problems": []}
    if not there:
        return row
    problems = [*_differences(work, name), *_late(work, name)]
    troubles = {t.text() for pod in pods if (t := _trouble(work, pod))}
    row["problems"] = [*problems, *sorted(troubles)]
    row["state"] = (
        "up" if not row["problems"] else "differs" if pods and not troubles else "failing"
    )
    return row


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or []
    return any((one["type"], one["status"]) == ("Ready", "True") for one in conditions)


def _trouble(work: Work, pod: Mapping[str, Any]) -> reasons.Trouble | None:
    from dataclasses import replace

    found = reasons.trouble(pod)
    return replace(found, says=reasons.asked(work.api, pod, found)) if found else None


def _differences(work: Work, name: str) -> list[str]:
    """How what is in the cluster differs from the manifests."""
    service = work.services.get(name)
    if service is None:
        return ["its folder is gone"]
    try:
        wanted = work.wanted(service)
    except DeployError as error:
        return [error.message]
    work.survey.read(one.kind for one in wanted)
    differing = [
        str(one.key) for one in wanted if not as_wanted(one, work.survey.live.get(one.key))
    ]
    strays = work.survey.strays(name, {one.key: one for one in wanted})
    left = [str(one.key) for one in strays if one.kind.name not in KEPT]
    return [
        *([f"not as its manifests say: {', '.join(differing)}"] if differing else []),
        *([f"in no manifest any more: {', '.join(left)}"] if left else []),
    ]


def _late(work: Work, name: str) -> list[str]:
    """The workloads that are not rolled out."""
    service: Service | None = work.services.get(name)
    if service is None:
        return []
    try:
        wanted = work.wanted(service)
    except UsageError:
        return []
    states = [
        (goal.key, goal.state(work.survey.live.get(goal.key))) for goal in goals(service, wanted)
    ]
    return [f"{key}: {state.words}" for key, state in states if not state.done]


def places(cluster: Cluster, chosen: Sequence[Service]) -> dict[str, list[str]]:
    """Where services answer, as their manifests say; no cluster is asked."""
    made = Templates(cluster)
    return {service.name: _said(made.objects(service)) for service in chosen}


def _said(wanted: Sequence[Object]) -> list[str]:
    """The addresses in the annotation `dlws.io/answers` of objects."""
    annotations = (one.body["metadata"].get("annotations") or {} for one in wanted)
    return [word for found in annotations for word in found.get(ANSWERS, "").split()]


def _answers(work: Work, name: str) -> list[str]:
    """Where a service answers: as its manifests say, and NodePorts at the first infra node."""
    return [*_named(work, name), *_node_ports(work, name)]


def _named(work: Work, name: str) -> list[str]:
    service = work.services.get(name)
    if service is None or name not in work.survey.inventories:
        return []
    try:
        return _said(work.wanted(service))
    except UsageError:
        return []  # that its manifests cannot be made is told among its problems


def _node_ports(work: Work, name: str) -> list[str]:
    hosts, first = hosts_file(work.cluster.directory), work.cluster.first.machine
    address = address_of(first, hosts) or first.fqdn
    return [
        f"{address}:{port['nodePort']}"
        for one in work.survey.ours(name, lambda one: one.kind.name == "Service")
        for port in (work.survey.live[one.key].get("spec") or {}).get("ports") or []
        if port.get("nodePort")
    ]


def _table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    """Rows as lines, with a head; the first column says what they are of."""
    if not rows:
        return f"there are no {columns[0]}s"
    return plain(columns, [[_cell(row, name) for name in columns] for row in rows])


def _cell(row: Row, name: str) -> str:
    value = row[name]
    if name == "pods":
        return f"{row['ready']}/{value}" if value else "-"
    if isinstance(value, list):
        return ("; " if name == "problems" else " ").join(" ".join(v.split()) for v in value) or "-"
    return str(value) or "-"


Pushed = Callable[["Cluster", Sequence[str]], Mapping[str, str]]
"""Says whether registries have images, by reference: yes, no or unknown."""


def images(cluster: Cluster, words: Sequence[str], output: str, pushed: Pushed) -> None:
    """The images of services (of all that the cluster has machines for, where none is named).

    What nobody here brings is told with the ways to have it. Kubernetes is not asked.
    """
    rows, console = _image_rows(cluster, words, pushed), cluster.run.console
    if output == "json":
        console.data(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        console.data(_table(rows, ("image", "services", "from", "pushed", "reference")))
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


def _image_rows(cluster: Cluster, words: Sequence[str], pushed: Pushed) -> list[Row]:
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
    there = pushed(cluster, sorted({reference for _, _, reference in found}))
    return [
        {"image": name, "services": users, "from": source, "pushed": there[reference],
         "reference": reference}
        for (name, source, reference), users in sorted(found.items())
    ]  # fmt: skip
