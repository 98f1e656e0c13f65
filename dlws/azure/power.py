"""Start, stop, deallocate, restart and reimage machines: all are begun before any is waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from dlws.azure.estate import Machine
from dlws.core.errors import DeployError, Refused, SomeNodesFailed
from dlws.core.nodeset import fold
from dlws.runs import plan

if TYPE_CHECKING:
    from dlws.azure.client import Azure


@dataclass(frozen=True)
class Verb:
    """What is done to machines: the SDK's name of it, and the state that it leads to."""

    name: str
    call: str
    past: str
    state: str = ""


VERBS = {
    "start": Verb("start", "begin_start", "started", "running"),
    "stop": Verb("stop", "begin_power_off", "stopped", "stopped"),
    "deallocate": Verb("deallocate", "begin_deallocate", "deallocated", "deallocated"),
    "restart": Verb("restart", "begin_restart", "restarted"),
    "reimage": Verb("reimage", "begin_reimage", "reimaged"),
}
Done = dict[str, Callable[[], None]]


def due(machines: Sequence[Machine], verb: Verb) -> list[Machine]:
    """The machines that are not so already. What is deallocated is stopped, too."""
    same = {verb.state} | ({"deallocated"} if verb.name == "stop" else set())
    return [one for one in machines if not verb.state or one.state not in same]


def check_control_plane(azure: Azure, machines: Sequence[Machine], verb: Verb) -> None:
    """Raise Refused where the control plane would stop, unless with --force."""
    infra = [one.name for one in machines if one.role == "infra"]
    if infra and verb.name not in ("start",) and not azure.session.options.force:
        raise Refused(
            f"{fold(infra)}: the cluster's control plane; nothing was changed",
            f"leave it out, as in worker; or {verb.name} it with --force",
        )


def act(azure: Azure, machines: Sequence[Machine], verb: Verb) -> None:
    """Do it to all that are not so already; raises SomeNodesFailed."""
    session = azure.session
    wanted = due(machines, verb)
    if not wanted:
        session.console.say(f"nothing to do: {fold(one.name for one in machines)} {verb.past}")
        return
    if not session.gate.admit(*(plan.local(f"{verb.name} {one.name}") for one in wanted)):
        return
    session.run.begin()
    begins, ends = _calls(azure, wanted, verb)
    failed = azure.all_of(verb.past, lambda name: begins[name](), ends)
    raise_failures(failed, f"{verb.name} " + " ".join(failed))


def _calls(
    azure: Azure, machines: Sequence[Machine], verb: Verb
) -> tuple[dict[str, Callable[[], Any]], Done]:
    """What begins each call, and what is said at its end: one call for a scale set's instances."""
    vms = azure.compute.virtual_machines
    begins: dict[str, Callable[[], Any]] = {}
    ends: Done = {}
    instances = defaultdict[str, list[Machine]](list)
    for one in machines:
        if one.scale_set:
            instances[one.scale_set].append(one)
            continue
        begins[one.name] = partial(getattr(vms, verb.call), azure.group, one.name)
        ends[one.name] = partial(_say, azure, verb, [one])
    sets = azure.compute.virtual_machine_scale_sets if instances else None
    for name, several in instances.items():
        body = {"instanceIds": [one.instance for one in several]}
        begins[name] = partial(getattr(sets, verb.call), azure.group, name, body)
        ends[name] = partial(_say, azure, verb, several)
    return begins, ends


def _say(azure: Azure, verb: Verb, machines: Sequence[Machine]) -> None:
    for one in machines:
        azure.session.console.changed(verb.past, one.name)


def raise_failures(failed: dict[str, DeployError], retry: str) -> None:
    """Raise SomeNodesFailed with what Azure said of each; equal words once."""
    from dlws.azure.client import again

    if not failed:
        return
    groups = defaultdict[str, list[str]](list)
    for name, error in failed.items():
        groups[error.message.partition(": ")[2] or error.message].append(name)
    words = "; ".join(f"{fold(several)}: {said}" for said, several in groups.items())
    cure = next((error.cure for error in failed.values() if error.cure), "")
    line = f"the rest is done; then: {again(*retry.split())}"
    raise SomeNodesFailed(words, f"{cure}; {line}" if cure else line)
