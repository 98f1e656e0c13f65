"""Whether the registry answers, here and on every node; its certificate, images and disk."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dlws.access import certificates
from dlws.config.registry import CA
from dlws.core.connection import Local, Result
from dlws.core.errors import CheckFailed, DeployError
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.core.resources import template
from dlws.core.text import split_lines
from dlws.registry.kept import Store
from dlws.registry.start import configured, machine
from dlws.shell.quoting import script

if TYPE_CHECKING:
    from dlws.config.registry import OurRegistry
    from dlws.nodes.cluster import Cluster
    from dlws.nodes.node import Node

ON_NODES = "/etc/dlws/registry-ca.crt"
GOOD = "answers"
NUMBER = re.compile(r"[0-9]{1,18}")
"""A number in what a node says: Python refuses to read one of thousands of digits."""
_HERE = "this machine"
_SCARCE = 0.05
"""The part of its disk that has to be free."""


@dataclass(frozen=True)
class Image:
    repository: str
    tag: str
    digest: str


@dataclass(frozen=True)
class Look:
    """What the registry's node says of it."""

    units: dict[str, str] = field(default_factory=dict)
    images: tuple[Image, ...] = ()
    size: int = 0
    free: int = 0
    used: int = 0
    uploads: int = 0
    readonly: bool = False


@dataclass(frozen=True)
class Status:
    """All of it. `reached` is by the name of each machine, in its order."""

    place: str
    node: str
    certificate_ends: str
    reached: dict[str, str]
    look: Look

    @property
    def by_words(self) -> dict[str, list[str]]:
        """The machines that say the same, by what they say."""
        found: dict[str, list[str]] = {}
        for name, words in self.reached.items():
            found.setdefault(words, []).append(name)
        return found

    def faults(self, now: datetime) -> list[str]:
        """What is wrong with it, a sentence each."""
        down = [unit for unit, state in self.look.units.items() if state != "active"]
        found = [f"{unit} does not run on {self.node}" for unit in down]
        by_words = {words: who for words, who in self.by_words.items() if words != GOOD}
        found += [f"not reached from {_names(who)}: {words}" for words, who in by_words.items()]
        if self.look.size and self.look.free < _SCARCE * self.look.size:
            found.append(f"its disk on {self.node} is full: {sized(self.look.free)} are free")
        if self.look.readonly:
            found.append("it takes no images: a `registry gc` runs, or was cut off")
        ends = self.certificate_ends and datetime.fromisoformat(self.certificate_ends)
        if not ends or ends - now <= certificates.LEFT:
            found.append(f"its certificate ends {self.certificate_ends or 'now: there is none'}")
        return found


def _names(names: Sequence[str]) -> str:
    nodes = fold(name for name in names if name != _HERE)
    return " and ".join(filter(None, [nodes, _HERE if _HERE in names else ""]))


def status_of(cluster: Cluster) -> Status:
    """What can be said of the registry, by one question to each node."""
    registry = configured(cluster)
    nodes, at = cluster.select(), machine(cluster, registry)
    url = f"https://{registry.place}/v2/"

    def one(node: Node) -> str:
        return answered(node.read(script(template("registry/answers.sh"), url, ON_NODES)))

    outcomes = cluster.read_all(nodes, one, "asking for the registry")
    reached = {_HERE: answered(_from_here(cluster, url))}
    reached |= {o.node.name: o.value or str(o.error and o.error.message) for o in outcomes}
    certificate = Store(cluster.deploy, cluster.run.vault).text("tls.crt")
    ends = certificates.ends(certificate).isoformat() if certificate else ""
    return Status(registry.place, registry.node, ends, reached, look(at, registry))


def _from_here(cluster: Cluster, url: str) -> Result:
    return Local().run(script(template("registry/answers.sh"), url, cluster.deploy / CA))


def answered(result: Result) -> str:
    """A word for what answers.sh printed: without a password the registry says 401."""
    said = result.text.strip() or result.complaint
    return GOOD if said in ("200", "401") else said.removeprefix("curl: ")


def look(node: Node, registry: OurRegistry) -> Look:
    """What lies on the registry's node."""
    line = script(template("registry/look.sh"), registry.path, *registry.units)
    return parsed(node.read(line, sudo=True).text)


def parsed(answer: str) -> Look:
    """What look.sh printed."""
    rows = [line.split("\t") for line in split_lines(answer)]

    def of(kind: str, words: int) -> list[list[str]]:
        found = [row[1:] for row in rows if row[0] == kind]
        if not all(len(row) == words for row in found):
            raise DeployError(
                f"the registry's node gives an answer that makes no sense: {rows}"[:300]
            )
        return found

    def number(kind: str, words: int = 1, place: int = 0) -> int:
        return next((int(row[place]) for row in of(kind, words) if NUMBER.fullmatch(row[place])), 0)

    return Look(
        dict(of("unit", 2)),
        tuple(Image(*row) for row in of("image", 3)),
        number("disk", 2),
        number("disk", 2, 1),
        number("used"),
        number("uploads"),
        bool(of("readonly", 1)),
    )


def show(cluster: Cluster, output: str) -> None:
    """Print the status; CheckFailed where something is wrong."""
    found = status_of(cluster)
    wrong = found.faults(datetime.now(timezone.utc))
    cluster.run.console.data(as_json(found, wrong) if output == "json" else table(found))
    if wrong:
        raise CheckFailed("the registry: " + "; ".join(wrong), cure(found, wrong))


def cure(found: Status, wrong: Sequence[str]) -> str:
    """The next thing to do."""
    line = f"{PROGRAM} --nodes {found.node} execonall journalctl -u 'dlws-registry@*' -n 20"
    collect = [one for one in wrong if "is full" in one or "registry gc" in one]
    cures = [f"{PROGRAM} registry gc, or give it a larger disk"] if collect else []
    if len(collect) < len(wrong):
        cures.append(f"{PROGRAM} registry start; then see the log: {line}")
    return "; ".join(cures)


def as_json(found: Status, wrong: Sequence[str]) -> str:
    made = {**asdict(found), "healthy": not wrong, "faults": list(wrong)}
    made |= made.pop("look")
    return json.dumps(made, indent=2, ensure_ascii=False)


def table(found: Status) -> str:
    seen = found.look
    lines = [
        f"registry     {found.place} on {found.node}",
        f"certificate  until {found.certificate_ends[:10] or '-'}",
        f"disk         {sized(seen.used)} of images, {sized(seen.free)} of {sized(seen.size)} free",
        *(f"unit         {unit}: {state}" for unit, state in seen.units.items()),
        *(f"from         {_names(names)}: {words}" for words, names in found.by_words.items()),
    ]
    by_repository: dict[str, list[str]] = {}
    for image in seen.images:
        by_repository.setdefault(image.repository, []).append(image.tag)
    lines += [f"image        {name}: {', '.join(tags)}" for name, tags in by_repository.items()]
    if seen.uploads:
        lines.append(f"uploads      {seen.uploads} begun and not ended")
    return "\n".join(lines)


def sized(size: int) -> str:
    """A number of bytes for people."""
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.1f} MiB"
