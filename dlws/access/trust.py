"""`hosts trust`: the host keys that machines show now, beside those they are known by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dlws.core.errors import DeployError, Refused
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.nodes.outcomes import Outcome, raise_failures
from dlws.runs.plan import local
from dlws.ssh.client import Ssh, ways
from dlws.ssh.hostkeys import RENEW, algorithm, fingerprint, pin, place

if TYPE_CHECKING:
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

WORDS = {
    "new": "new",
    "same": "the same as before",
    "pinned": "as config.yaml says",
    "changed": "CHANGED",
    "pin differs": "NOT the one in config.yaml",
    "shared": "ONE KEY with",
}
"""Verdicts, in a person's words."""


@dataclass(frozen=True)
class OfferedKey:
    """A key that is shown somewhere now, what is known of that place, and what that amounts to."""

    name: str
    place: str
    key: bytes
    known: frozenset[bytes] = frozenset()
    pinned: str = ""
    others: tuple[str, ...] = ()
    learned: bool = False
    """Whether it is known from a first contact alone: nobody has accepted it."""

    @property
    def verdict(self) -> str:
        if self.pinned and fingerprint(self.key) != pin(self.pinned):
            return "pin differs"
        if self.others:
            return "shared"
        if self.pinned:
            return "pinned"
        if not self.known:
            return "new"
        return "same" if self.key in self.known else "changed"

    def data(self) -> dict[str, Any]:
        return {
            "node": self.name,
            "place": self.place,
            "algorithm": algorithm(self.key),
            "fingerprint": fingerprint(self.key),
            "verdict": self.verdict,
            "known": sorted(map(fingerprint, self.known)),
            "pinned": self.pinned,
            "learned": self.learned,
            "shared_with": list(self.others),
        }

    def __str__(self) -> str:
        word = WORDS[self.verdict] + (f" {fold(self.others)}" if self.verdict == "shared" else "")
        word += ", and accepted by nobody yet" if self.learned else ""
        lines = [f"{self.name} {self.place} {algorithm(self.key)} {fingerprint(self.key)}: {word}"]
        if self.verdict == "changed":
            lines += [f"  known: {print}" for print in sorted(map(fingerprint, self.known))]
        if self.verdict == "pin differs":
            lines.append(f"  config.yaml: {pin(self.pinned)}")
        return "\n".join(lines)


Agree = Callable[[Sequence[OfferedKey]], Sequence[OfferedKey]]
"""Gets what was seen; gives back the new, learned and changed keys that are accepted."""


@dataclass
class TrustResult:
    """What was seen, which of it was accepted, and how asking each node ended."""

    seen: list[OfferedKey] = field(default_factory=list)
    taken: list[OfferedKey] = field(default_factory=list)
    outcomes: list[Outcome[bytes]] = field(default_factory=list)

    def raise_if_rejected(self, cluster: Cluster) -> None:
        """Raise what was not accepted: never a pinned or a shared key, else for want of consent."""
        self._wrong()
        raise_failures(self.outcomes, cluster.run.options)
        left = [one for one in self.seen if one.verdict in ("new", "changed")]
        left = [one for one in left if one not in self.taken]
        if left and not cluster.run.options.dry_run:
            option = " --changed" if any(one.verdict == "changed" for one in left) else ""
            raise Refused(
                f"not accepted: the host keys of {fold(one.name for one in left)}",
                "compare with ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub on each machine, "
                f"then: {PROGRAM} -y hosts trust{option}",
            )

    def _wrong(self) -> None:
        wrong = [one.name for one in self.seen if one.verdict == "pin differs"]
        if wrong:
            raise DeployError(
                f"{fold(wrong)}: config.yaml has another host key",
                "find out why; correct host_key in config.yaml if the machine is right",
            )
        for one in self.seen:
            if one.verdict == "shared":
                raise DeployError(
                    f"{one.name} and {fold(one.others)} have one host key, {fingerprint(one.key)}",
                    f"on the copy: {RENEW}; correct the address if they are one machine; "
                    "ssh.shared_host_keys: true in config.yaml allows it",
                )


def trust(cluster: Cluster, nodes: Sequence[Node], agree: Agree) -> TrustResult:
    """Look at the nodes' host keys, jump hosts first, and take over those that are agreed to."""
    found = TrustResult()
    for way in (*_jumps(nodes), {node: node.ssh for node in nodes}):

        def look(node: Node, way: Mapping[Node, Ssh] = way) -> bytes:
            return way[node].host_key()

        outcomes = cluster.try_all(list(way), look, "host keys", logs_in=False)
        seen = _compared([(o.node, way[o.node], o.value) for o in outcomes if o.value])
        agreed = list(agree(seen))
        found.taken += agreed
        actions = [local(f"trust {fingerprint(one.key)} at {one.place}") for one in agreed]
        if actions and cluster.run.gate.admit(*actions):
            next(iter(way.values())).known.accept({one.place: one.key for one in agreed})
            for one in agreed:
                cluster.run.console.changed(f"{fingerprint(one.key)} is trusted at {one.place}")
        found.seen += seen
        found.outcomes = outcomes  # in the end those of the nodes: without a jump host they fail
    return found


def _jumps(nodes: Sequence[Node]) -> Iterator[dict[Node, Ssh]]:
    """The jump hosts before some nodes, each with the first node behind it; the outermost ones,
    those behind them, ..."""
    behind: dict[int, Node] = {}
    for node in nodes:
        for jump in node.ssh.jumps:
            behind.setdefault(id(jump), node)
    for level in ways(node.ssh for node in nodes):
        yield {behind[id(jump)]: jump for jump in level}


def _compared(seen: Sequence[tuple[Node, Ssh, bytes]]) -> list[OfferedKey]:
    """Each key beside what is known, and beside the keys of the other machines."""
    holders: dict[bytes, list[str]] = {}
    for _, at, key in seen:
        if at.target.machine:
            holders.setdefault(key, []).append(at.target.machine)
    asked = {name for names in holders.values() for name in names}
    return [_shown(node, at, key, holders, asked) for node, at, key in seen]


def _shown(
    node: Node, at: Ssh, key: bytes, holders: Mapping[bytes, list[str]], asked: set[str]
) -> OfferedKey:
    target = at.target
    where = place(*target.identity)
    others = [name for name in holders.get(key, ()) if name != target.machine]
    # Whoever was asked and showed another key does not have this one any more.
    owner = at.known.owner(where, key, target.machine)
    others += [owner] if owner not in {*asked, *others, target.machine} else []
    if not target.machine or at.known.may_share:
        others = []
    known = frozenset(at.known.of(*target.identity))
    accepted = at.known.accepted(*target.identity)
    name = node.name if target.machine else f"jump host {target.address}"
    found = OfferedKey(name, where, key, known, target.host_key, tuple(others))
    return replace(found, learned=found.verdict == "same" and key not in accepted)
