"""From what is wanted and what a node answered to the differences between the two. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dlws.core.errors import DeployError
from dlws.core.program import PROGRAM
from dlws.prepare import hosts, runtime
from dlws.scripts.checkmode import Answers, said
from dlws.verify.expected import ClusterFacts, Expectation, Origin, runtime_origin, script_origin

if TYPE_CHECKING:
    from dlws.kubernetes.api import KubeNode
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

_SWITCH = {"active", "inactive"}
_CHECK_FAILED = 5


@dataclass(frozen=True)
class Difference:
    """Something that is not as config.yaml wants it: `kind what words`, and the keys it is from.

    `fix` names what puts it right; where nothing can, `cure` says what a person has to do. `by` is
    the managed thing whose check found it.
    """

    kind: str
    what: str
    words: str
    origin: Origin = ()
    fix: str = ""
    cure: str = ""
    by: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Comparison:
    """All that is needed to judge one node."""

    cluster: Cluster
    node: Node
    known: ClusterFacts
    answers: Answers

    @property
    def live(self) -> KubeNode | None:
        return (self.known.live or {}).get(self.node.name)

    def lines(self, name: str, key: str) -> list[str]:
        """The values of a key in an answer of lines KEY=VALUE."""
        pairs = [line.partition("=") for line in self.answers[name].text.splitlines()]
        return [value for found, _, value in pairs if found == key]


Found = Iterator[Difference]


def compare(wanted: Sequence[Expectation], seen: Comparison) -> list[Difference]:
    """Every difference, each thing once: who looks closest comes first in `wanted`."""
    found: dict[tuple[str, str], Difference] = {}
    for thing in wanted:
        for difference in COMPARERS[thing.kind](thing, seen):
            what = difference.what.removesuffix(".service")
            by = (thing.kind, thing.what)
            found.setdefault((difference.kind, what), replace(difference, by=by))
    return list(found.values())


def _from(thing: Expectation, words: str, cure: str = "") -> Difference:
    return Difference(thing.kind, thing.what, words, thing.origin, thing.fix, cure)


def _hosts(thing: Expectation, seen: Comparison) -> Found:
    config, has = seen.cluster.config, seen.answers["hosts"].text + "\n"
    ours = thing.wanted.splitlines()
    if hosts.merged(has, ours) == has:
        return
    missing = [line for line in ours if line not in has.splitlines()]
    for line in missing:
        names = [name for name in config.machines if name in line.split()]
        origin: Origin = tuple(("machines", name) for name in names)
        if not names:
            origin = (("kubernetes", "endpoint"), ("cluster_name",))
        what = f"{thing.what} {line.split()[-1]}"
        yield Difference("file", what, f"is not there as: {line}", origin, thing.fix)
    if not missing:
        yield Difference("file", thing.what, "has other lines of ours", thing.origin, thing.fix)


def _file(thing: Expectation, seen: Comparison) -> Found:
    wanted = [file for file in _placed(seen) if file == thing.what]
    states = dict(zip(_placed(seen), seen.answers["files"].text.splitlines(), strict=True))
    assert wanted, thing.what
    has, want = states[thing.what].split(" "), thing.wanted.split(" ")
    if has[0] == "-":
        yield _from(thing, "is missing")
    elif has[0] != want[0]:
        yield _from(thing, "has other content")
    elif has != want:
        yield _from(thing, f"has mode and owner {' '.join(has[1:])}, not {' '.join(want[1:])}")


def _placed(seen: Comparison) -> list[str]:
    from dlws.verify.expected import files

    return [file.path for file in files(seen.cluster, seen.node, seen.known)]


def _script(thing: Expectation, seen: Comparison) -> Found:
    result, config, name = seen.answers[thing.what], seen.cluster.config, seen.node.name
    rows = said(result)
    if result.code not in (0, _CHECK_FAILED) or (result.code and not rows):
        raise DeployError(f"{thing.what} cannot check this node: {result.complaint}")
    for kind, what, words in rows:
        origin = script_origin(config, name, thing.what, kind, what)
        text, _, cure = words.partition("; cure: ")
        yield Difference(kind, what, text, origin, "" if kind == "state" else thing.fix, cure)


def _runtime(thing: Expectation, seen: Comparison) -> Found:
    config, node = seen.cluster.config, seen.node
    try:
        keys = runtime.differing(config, node, seen.answers["runtime"])
    except DeployError as error:
        yield Difference("file", thing.what, error.message, thing.origin, "", error.cure)
        return
    for path in keys:
        origin = runtime_origin(config, node.name, path)
        what = f"{thing.what} {'.'.join(path)}".strip()
        words = "is not as it should be" if path else "is missing"
        yield Difference("file", what, words, origin, thing.fix)


def _unit(thing: Expectation, seen: Comparison) -> Found:
    states = {
        row.split(" ", 1)[0]: row.split(" ", 1)[1] for row in seen.lines("kubernetes", "unit")
    }
    if states[thing.what] != thing.wanted:
        has = ", ".join(states[thing.what].split()) or "unknown"
        yield _from(thing, f"is {has}, not {thing.wanted.replace(' ', ' and ')}")


def _certificate(thing: Expectation, seen: Comparison) -> Found:
    cure = (
        "on that node: kubeadm certs renew all (1.19: kubeadm alpha certs renew all), then reboot"
    )
    for row in seen.lines("kubernetes", "certificate"):
        end, _, path = row.partition(" ")
        if not end:
            yield Difference("certificate", path, "cannot be read", thing.origin)
            continue
        days = int((int(end) - seen.known.now) // 86400)
        day = time.strftime("%Y-%m-%d", time.gmtime(int(end)))
        if days < int(thing.wanted):
            words = f"ends in {days} days, on {day}" if days >= 0 else f"ended on {day}"
            yield Difference("certificate", path, words, thing.origin, "", cure)


def _label(thing: Expectation, seen: Comparison) -> Found:
    has = seen.live.labels.get(thing.what) if seen.live else None
    if has is None:
        yield _from(thing, f"is missing, not {thing.wanted}")
    elif has != thing.wanted and not {has, thing.wanted} <= _SWITCH:
        yield _from(thing, f"is {has}, not {thing.wanted}")


def _taint(thing: Expectation, seen: Comparison) -> Found:
    taints = {taint["key"]: taint["effect"] for taint in (seen.live.taints if seen.live else ())}
    if taints.get(thing.what, "") != thing.wanted:
        has = taints.get(thing.what) or "missing"
        yield _from(thing, f"is {has}, not {thing.wanted or 'missing'}")


def _version(thing: Expectation, seen: Comparison) -> Found:
    has = seen.live.version if seen.live else ""
    if has != thing.wanted:
        yield _from(thing, f"is {has or 'unknown'}, not {thing.wanted}")


def _device(thing: Expectation, seen: Comparison) -> Found:
    there = len(seen.lines("kubernetes", thing.wanted))
    offered = seen.live.allocatable.get(thing.what, "0") if seen.live else "0"
    if not there and not seen.lines("kubernetes", "container"):
        yield _from(thing, f"the node shows no {thing.wanted}", "check its driver: status")
    elif str(there) != offered:
        cure = "see whether the device plugin runs there: kubectl get pods -A -o wide"
        yield _from(thing, f"offers {offered} of {there}", cure)


def _member(thing: Expectation, seen: Comparison) -> Found:
    yield _from(thing, "is not in the cluster", f"{PROGRAM} --nodes {thing.what} kubeadm join")


def _api(thing: Expectation, seen: Comparison) -> Found:
    yield _from(thing, f"does not answer: {thing.wanted.splitlines()[0]}", f"{PROGRAM} status")


COMPARERS: dict[str, Callable[[Expectation, Comparison], Found]] = {
    "hosts": _hosts,
    "file": _file,
    "script": _script,
    "runtime": _runtime,
    "unit": _unit,
    "certificate": _certificate,
    "label": _label,
    "taint": _taint,
    "version": _version,
    "device": _device,
    "member": _member,
    "api": _api,
}
