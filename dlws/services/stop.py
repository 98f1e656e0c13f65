"""Stop services, in reverse; restart the pods of those that run."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError, Refused
from dlws.core.program import PROGRAM
from dlws.kubernetes import objects
from dlws.runs import plan
from dlws.services import waiting
from dlws.services.kinds import KEPT, WORKLOADS, built_in
from dlws.services.manifests import Json
from dlws.services.rollout import Goal
from dlws.services.survey import Ref
from dlws.services.work import Work, failed, not_started

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster

_CLAIM = "PersistentVolumeClaim"
_RESTARTED = "kubectl.kubernetes.io/restartedAt"


def stop(
    cluster: Cluster,
    words: Sequence[str],
    timeout: float,
    consent: Callable[[list[str]], None] | None = None,
) -> None:
    """Delete what services have in the cluster, what was made last first.

    What data goes with stays. With `consent` it goes as well, once that has been asked with a list
    of it, and has raised nothing.
    """
    with objects.connect(cluster) as api:
        work = Work(cluster, api)
        names = work.ordered(work.started(words))
        if not words and not cluster.run.options.yes:
            _refuse_all(names)
        work.survey.read_services(names)
        _warn(work, names)
        claims = _claims(work, names) if consent else {}
        if consent and (lost := [str(one.key) for one in _lost(work, names, claims)]):
            consent(lost)
        wait = bool(names) and not cluster.run.dry_run
        # Whose pods are whose is known as long as what made them is there.
        owners = work.survey.owners(names) if wait else {}
        for name in reversed(names):
            _stop(work, name, claims.get(name, []), bool(consent))
        left = waiting.gone(api, work.console, owners, timeout) if wait else []
    _end(cluster, names, left)


def _refuse_all(names: Sequence[str]) -> None:
    """Raise Refused where any service is up: nobody has said to stop all of them."""
    if names:
        raise Refused(
            f"this would stop all services: {', '.join(names)}",
            "name those that you mean, or add -y before the command",
        )


def _warn(work: Work, names: Sequence[str]) -> None:
    """Say which services stay up that need one of these."""
    for name, service in work.services.items():
        used = [need for need in service.says.needs if need in names]
        if used and name in work.survey.inventories and name not in names:
            work.console.warn(f"{name} is up, and needs {', '.join(used)}")


def _lost(work: Work, names: Sequence[str], claims: dict[str, list[Ref]]) -> list[Ref]:
    """What goes only with --delete-data."""
    return [
        one
        for name in names
        for one in (*work.survey.ours(name, lambda one: one.kind.name in KEPT), *claims[name])
    ]


def _stop(work: Work, name: str, claims: Sequence[Ref], everything: bool) -> None:
    kept: list[Ref] = []
    for one in reversed(work.survey.ours(name)):
        if one.kind.name in KEPT and not everything:
            kept.insert(0, one)
            work.console.say(f"{name}: {one.key} is kept")
        else:
            work.delete(name, one)
    for one in claims:
        work.delete(name, one)
    work.note(name, kept)


def _claims(work: Work, names: Sequence[str]) -> dict[str, list[Ref]]:
    """The claims that StatefulSets made for their pods: no manifest names them."""
    kind = built_in("v1", _CLAIM)
    assert kind
    found: dict[str, list[Ref]] = {}
    for name in names:
        found[name] = []
        for one in work.survey.ours(name, lambda one: one.kind.name == "StatefulSet"):
            live = work.survey.live[one.key]
            place = kind.path(one.namespace, "").rstrip("/")
            for claim in _made_for(live, work.api.list(place)):
                ref = Ref(kind, one.namespace, claim["metadata"]["name"])
                work.survey.live.setdefault(ref.key, claim)
                found[name].append(ref)
    return found


def _made_for(stateful: Json, claims: Sequence[Json]) -> list[Json]:
    templates = (stateful.get("spec") or {}).get("volumeClaimTemplates") or []
    heads = "|".join(re.escape(one["metadata"]["name"]) for one in templates)
    pattern = re.compile(rf"({heads})-{re.escape(stateful['metadata']['name'])}-\d+")
    return [c for c in claims if templates and pattern.fullmatch(c["metadata"]["name"])]


def _end(cluster: Cluster, names: Sequence[str], left: Sequence[str]) -> None:
    if left:
        raise DeployError(
            f"{len(left)} pods have not ended in time: {', '.join(left[:5])}",
            f"see: {PROGRAM} kubectl get pods --all-namespaces -o wide",
        )
    if not names:
        cluster.run.console.say("nothing to do: these services are not started")


def restart(cluster: Cluster, words: Sequence[str], timeout: float) -> None:
    """Replace the pods of services by new ones, as many at a time as their manifests allow."""
    with objects.connect(cluster) as api:
        work = Work(cluster, api)
        names = work.ordered(work.started(words))
        if not names:
            raise not_started(words or list(work.services))
        work.survey.read_services(names)
        waits = [_restart(work, name, one) for name in names for one in _workloads(work, name)]
        failures = work.reach(waits, timeout)
    if failures:
        raise failed("not up again", failures, f"see: {PROGRAM} kubernetes status")


def _workloads(work: Work, name: str) -> list[Ref]:
    return work.survey.ours(name, lambda one: one.kind.name in WORKLOADS)


def _restart(work: Work, name: str, one: Ref) -> Goal:
    """Do as `kubectl rollout restart` does, under a field manager of its own: a later start of the
    service leaves it as it is."""
    if work.change(plan.patch(plan.HERE, f"restart {one.key}", one.line())):
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        template = {"metadata": {"annotations": {_RESTARTED: now}}}
        body = {"spec": {"template": template}}
        work.survey.live[one.key] = work.api.merge(one.path, body, f"{objects.MANAGER}-restart")
        work.console.changed(f"{name}: restarted {one.key}")
    return Goal(name, one.key, one.kind)
