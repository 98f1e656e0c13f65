"""What the actions on services share: the cluster, its API, and what is known of both."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, UsageError
from dlws.core.program import PROGRAM
from dlws.kubernetes.api import ApiRefused
from dlws.kubernetes.versions import feature
from dlws.runs import plan
from dlws.services import folder
from dlws.services.compare import UNRECORDED, content, is_ours
from dlws.services.kinds import NODE, Kinds
from dlws.services.rollout import offers
from dlws.services.survey import Survey, inventory, inventory_path
from dlws.services.values import Templates
from dlws.services.waiting import Waiting

if TYPE_CHECKING:
    from dlws.kubernetes.objects import Objects
    from dlws.nodes.cluster import Cluster
    from dlws.runs.plan import Action
    from dlws.services.folder import Service
    from dlws.services.manifests import Object
    from dlws.services.rollout import Goal
    from dlws.services.survey import Ref

_CONFLICT, _INVALID = 409, 422


class Work:
    """One invocation's look at the cluster's services, and its changes of them."""

    def __init__(self, cluster: Cluster, api: Objects) -> None:
        self.cluster, self.api = cluster, api
        self.run, self.console = cluster.run, cluster.run.console
        self.services = folder.load_all(cluster.directory)
        self.templates = Templates(cluster, Kinds(api.get))
        self._known: dict[str, list[Object]] = {}

    @cached_property
    def survey(self) -> Survey:
        return Survey(self.api)

    def wanted(self, service: Service) -> list[Object]:
        """The objects of a service; its templates are rendered once."""
        if service.name not in self._known:
            self._known[service.name] = self.templates.objects(service)
        return self._known[service.name]

    def started(self, words: Sequence[str]) -> list[str]:
        """The names of the services meant that are in the cluster, those without a folder too."""
        there = self.survey.inventories
        strange = [word for word in words if word in there and word not in self.services]
        named = [word for word in words if word not in strange]
        chosen = folder.named(self.services, named) if named or not words else []
        names = [*(one.name for one in chosen), *strange, *([] if words else there)]
        return [name for name in dict.fromkeys(names) if name in there]

    def ordered(self, names: Sequence[str]) -> list[str]:
        """Services in the order in which they are started; first those without a folder."""
        known = [self.services[name] for name in names if name in self.services]
        groups = folder.levels(known, self.services)
        order = [service.name for group in groups for service in group]
        return sorted(names, key=lambda name: order.index(name) if name in order else -1)

    def change(self, *actions: Action) -> bool:
        """Whether to make these changes now; the run's record and its locks are there by then."""
        if not self.run.gate.admit(*actions):
            return False
        self.run.journal(changes_node=True)
        return True

    def apply(self, service: str, wanted: Object) -> None:
        """Make an object as it is wanted, by one request."""
        live = self.survey.live.get(wanted.key)
        action = plan.patch(plan.HERE, f"apply {wanted.key}", wanted.body)
        if not self.change(action):
            return
        # What is there and not ours is not taken over unasked.
        force = self.run.options.force or (live is not None and is_ours(live, service))
        try:
            made = self._send(wanted.key.kind)(wanted.path, wanted.body, force)
        except ApiRefused as error:
            raise _explained(error, service, wanted) from error
        self.survey.live[wanted.key] = made
        if live is None or content(live) != content(made):
            verb = "created" if live is None else "configured"
            self.console.changed(f"{service}: {verb} {wanted.key}")

    def _send(self, kind: str) -> Callable[[str, Mapping[str, Any], bool], dict[str, Any]]:
        """What sends an object of a kind: server-side apply, where the API server can do that."""
        version = self.cluster.config.kubernetes.version
        if kind == UNRECORDED and feature("api_services", version) == "put":
            return self.api.put
        return self.api.apply

    def delete(self, service: str, one: Ref) -> None:
        """Delete an object of ours, and none that has taken its name since."""
        live = self.survey.live[one.key]
        if self.change(plan.patch(plan.HERE, f"delete {one.key}", one.line())):
            self.api.delete(one.path, live["metadata"].get("uid", ""))
            del self.survey.live[one.key]
            self.console.changed(f"{service}: deleted {one.key}")

    def note(self, service: str, refs: Sequence[Ref]) -> None:
        """Keep the inventory of a service, where it is another than before; none where empty."""
        before = self.survey.inventories.get(service)
        if before == list(refs) or (before is None and not refs):
            return
        path, verb = inventory_path(service), "write" if refs else "delete"
        body = inventory(service, refs)
        made = self.change(plan.patch(plan.HERE, f"{verb} the inventory of {service}", body))
        self.survey.inventories[service] = list(refs)
        if made and refs:
            self.api.apply(path, body)
        elif made:
            self.api.delete(path)

    def reach(self, goals: Sequence[Goal], timeout: float) -> dict[str, list[str]]:
        """Wait for what is not reached yet; by service, what was not reached in time, and why."""
        live: Mapping[Any, Any] = self.survey.live
        pending = [goal for goal in goals if not goal.state(live.get(goal.key)).done]
        return self._reach(pending, timeout)

    def offered(self, service: Service, timeout: float) -> dict[str, list[str]]:
        """Wait until the nodes of a service offer what its pods give them to offer, likewise."""
        live = offers(service, self.wanted(service), partial(self.api.list, NODE.all))
        return self._reach([goal for goal in live if not goal.state(live[goal]).done], timeout)

    def _reach(self, pending: Sequence[Goal], timeout: float) -> dict[str, list[str]]:
        if not pending or self.run.dry_run:
            return {}
        failures: dict[str, list[str]] = {}
        for goal, why in Waiting(self.api, self.console, pending).until(timeout).items():
            failures.setdefault(goal.service, []).append(why)
        return failures


def _explained(error: ApiRefused, service: str, wanted: Object) -> DeployError:
    """A refusal with the manifest that it is about, and what to do."""
    words, cure = f"{wanted.source}: {wanted.key}: {error.message}", error.cure
    if error.status == _CONFLICT:
        words = f"{wanted.key} is there and not ours: {error.message}"
        cure = "take it over with --force before the command, or remove it"
    elif error.status == _INVALID:
        cure = (
            "correct the manifest; where only a new object can be so: "
            f"{PROGRAM} kubernetes stop {service}, then start it again"
        )
    return DeployError(words, cure)


def failed(verb: str, failures: Mapping[str, Sequence[str]], cure: str) -> DeployError:
    """One error for all services that failed."""
    lines = [line for name, whys in failures.items() for line in (f"{name}:", *_set(whys))]
    many = "service" if len(failures) == 1 else "services"
    return DeployError("\n  ".join([f"{len(failures)} {many} {verb}", *lines]), cure)


def _set(whys: Sequence[str]) -> list[str]:
    return [f"  {why}".replace("\n", "\n    ") for why in whys]


def not_started(names: Sequence[str]) -> UsageError:
    return UsageError(
        f"not started: {', '.join(names)}", f"run: {PROGRAM} kubernetes start {' '.join(names)}"
    )
