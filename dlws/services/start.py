"""Start services: what they need first, their objects in order, and wait until they are up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError, Refused, UsageError
from dlws.core.program import PROGRAM
from dlws.kubernetes import objects
from dlws.services import folder
from dlws.services.compare import as_wanted
from dlws.services.kinds import KEPT
from dlws.services.rollout import Goal, goals
from dlws.services.survey import Ref, ref_of
from dlws.services.work import Work, failed

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.services.folder import Service
    from dlws.services.manifests import Object

_DEFINITION = "CustomResourceDefinition"


def start(cluster: Cluster, words: Sequence[str], timeout: float) -> None:
    """Bring services (all, where none is named) and what they need to what their manifests say.

    Of all, those that lack something are told in the end, and keep no other from being started;
    where services are named, UsageError says it before anything is changed.
    """
    services = folder.load_all(cluster.directory)
    groups = folder.levels(folder.named(services, words), services)
    with objects.connect(cluster) as api:
        work = Work(cluster, api)
        fitting = [[one for one in group if _fits(work, one)] for group in groups]
        failures = {} if words else _lacking(work, fitting)
        for group in fitting:
            _look(work, [one for one in group if one.name not in failures])
        before = len(cluster.run.console.changes)
        _start(work, fitting, timeout, failures)
    _end(cluster, [one.name for group in fitting for one in group], failures, before)


def _fits(work: Work, service: Service) -> bool:
    if work.templates.fits(service):
        return True
    if service.says.architectures and not work.templates.architectures(service):
        machines = " or ".join(service.says.architectures)
        work.console.say(f"{service.name}: left out, no machine is {machines}")
    else:
        labels = " or ".join(service.says.labels)
        work.console.say(f"{service.name}: left out, no node of the cluster carries {labels}")
    return False


def _lacking(work: Work, groups: Sequence[Sequence[Service]]) -> dict[str, list[str]]:
    """The services whose manifests cannot be made, and why: something was not configured yet."""
    failures: dict[str, list[str]] = {}
    for service in (one for group in groups for one in group):
        try:
            work.wanted(service)
        except UsageError as error:
            failures[service.name] = [f"not started: {_told(error)}"]
    return failures


def _told(error: DeployError) -> str:
    return f"{error.message}\n    cure: {error.cure}" if error.cure else error.message


def _look(work: Work, group: Sequence[Service]) -> None:
    """Render the services, and see what of theirs is in the cluster; nothing is changed yet."""
    work.survey.read(one.kind for service in group for one in work.wanted(service))
    work.survey.read_services(service.name for service in group)


def _start(
    work: Work,
    groups: Sequence[Sequence[Service]],
    timeout: float,
    failures: dict[str, list[str]],
) -> None:
    """Start groups one after the other but for what has failed before; adds what fails now.

    Before a group it waits for what that needs, and for the rest at the end: nodes pull images
    meanwhile.
    """
    waited: list[Goal] = []
    for group in groups:
        needs = {need for service in group for need in service.says.needs}
        failures |= work.reach([goal for goal in waited if goal.service in needs], timeout)
        waited = [goal for goal in waited if goal.service not in needs]
        for service in group:
            waited += _brought(work, service, failures, timeout)
    failures |= work.reach(waited, timeout)
    for service in (one for group in groups for one in group if one.name not in failures):
        failures |= work.offered(service, timeout)


def _brought(
    work: Work, service: Service, failures: dict[str, list[str]], timeout: float
) -> list[Goal]:
    """Apply a service unless it or what it needs has failed; what is to be reached of it."""
    if service.name in failures:
        return []
    if lacking := [need for need in service.says.needs if need in failures]:
        failures[service.name] = [f"not started: it needs {', '.join(lacking)}"]
        return []
    try:
        bring(work, service, timeout)
    except Refused:
        raise  # the run may change nothing more
    except DeployError as error:
        failures[service.name] = [_told(error)]
        return []
    return goals(service, work.wanted(service))


def bring(work: Work, service: Service, timeout: float) -> None:
    """Apply what differs, and prune what left the manifests."""
    wanted = work.wanted(service)
    by_key = {one.key: one for one in wanted}
    strays = work.survey.strays(service.name, by_key)
    listed = work.survey.inventories.get(service.name, [])
    refs = [ref_of(one) for one in wanted]
    if not set(refs) <= set(listed):
        work.note(service.name, [*refs, *(one for one in listed if one not in refs)])
    _apply(work, service, [one for one in wanted if one.key.kind == _DEFINITION], timeout)
    _apply(work, service, [one for one in wanted if one.key.kind != _DEFINITION], timeout)
    kept = _prune(work, service, strays)
    work.note(service.name, [*refs, *kept])


def _apply(work: Work, service: Service, wanted: Sequence[Object], timeout: float) -> None:
    """Apply objects that differ; definitions of kinds have to be established before their use."""
    differing = [one for one in wanted if not as_wanted(one, work.survey.live.get(one.key))]
    for one in differing:
        work.apply(service.name, one)
    definitions = [one for one in differing if one.key.kind == _DEFINITION]
    if late := work.reach(goals(service, definitions), timeout):
        raise DeployError(late[service.name][0])


def _prune(work: Work, service: Service, strays: Sequence[Ref]) -> list[Ref]:
    """Delete what no manifest wants any more, in reverse; what may hold data stays."""
    kept = [one for one in strays if one.kind.name in KEPT]
    for one in reversed(strays):
        if one not in kept:
            work.delete(service.name, one)
    listed = work.survey.inventories.get(service.name, [])
    for one in kept:
        if one in listed:
            work.console.say(f"{service.name}: {one.key} left the manifests, and is kept")
    return kept


def _end(
    cluster: Cluster, names: Sequence[str], failures: dict[str, list[str]], before: int
) -> None:
    if failures:
        cure = f"when that is put right: {cluster.run.options.again()}"
        raise failed("not up", failures, cure)
    console = cluster.run.console
    if cluster.run.dry_run:
        return
    if len(console.changes) == before:
        console.say(f"nothing to do: {_listed(names)} as the manifests say")
    else:
        console.say(f"up: {', '.join(names)}; see: {PROGRAM} kubernetes status")


def _listed(names: Sequence[str]) -> str:
    return f"{', '.join(names) or 'no services'} {'is' if len(names) == 1 else 'are'}"
