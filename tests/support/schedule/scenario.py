"""What a seed stands for: pure, so that the same seed is the same scenario on every machine."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from tests.support.farm.faults import AT_EFFECT, AT_LISTENER, AT_UPLOAD, Fault, Wrong
from tests.support.farm.shell import OWN

SHORT = 3.0
"""Seconds of a limit that hanging machines have to run into."""
LONG = 20.0
"""Seconds of limits that nothing is expected to run into."""


@dataclass(frozen=True)
class Job:
    """A command line. `mark` stands in what carries its effect to a node; `lines` are those that
    it leaves in a node's ~/effect, of which each restart of the node begins another."""

    words: tuple[str, ...]
    mark: bytes = b"effect"
    lines: tuple[str, ...] = ("x",)
    sudo: bool = False
    cuts: tuple[int, ...] = ()  # so many bytes of its standard input are not enough
    big: bool = False
    files: str = ""  # what is copied, where it copies
    roles: tuple[str, ...] = ()
    recorded: bool = False  # its outcome is kept on the node

    @property
    def locks(self) -> bool:
        """Whether it locks the cluster, which leads to the first infra node."""
        return "execonall" not in self.words and "doonall" not in self.words

    @property
    def resumable(self) -> bool:
        return self.recorded or bool(self.files)


_TO = f"{OWN}/placed"
# The list, the content and the end of small tars lie at multiples of 512. Without its two last
# blocks a tar of files is complete; input of a script has to be there to the last byte.
_SMALL, _TREE, _BIG = (1, 600, 1540), (1, 1500, 2300), (1, 40_000, 120_000, 200_000)
_SCRIPT = (1, 520, 1030, 2000)
JOBS: dict[Job, int] = {
    Job(("execonall", "effect x")): 3,
    Job(("--sudo", "execonall", "effect", "x"), sudo=True): 2,
    Job(("doonall", "effect x")): 2,
    Job(("copytoall", "small", f"{_TO}/small"), b"payload", (), True, _SMALL, files="small"): 2,
    Job(("copytoall", "tree", f"{_TO}/tree"), b"payload", (), True, _TREE, files="tree"): 2,
    Job(("copytoall", "big", f"{_TO}/big"), b"payload", (), True, _BIG, True, "big"): 2,
    Job(("runscriptonall", "step.sh", "x"), b"./step.sh", cuts=_SCRIPT, recorded=True): 5,
    Job(
        ("--sudo", "runscriptonall", "step.sh", "x"),
        b"./step.sh",
        sudo=True,
        cuts=_SCRIPT,
        recorded=True,
    ): 3,
    Job(
        ("runscriptonroles", "worker", "step.sh", "x"),
        b"./step.sh",
        cuts=_SCRIPT,
        roles=("worker",),
        recorded=True,
    ): 3,
    Job(
        ("--sudo", "runscriptonall", "restart.sh"),
        b"./restart.sh",
        ("first", "second"),
        True,
        _SCRIPT,
        recorded=True,
    ): 1,
}
RESTART = "restart.sh"
_EVERYWHERE = (
    Fault.REFUSED,
    Fault.DEAD,
    Fault.MUTE,
    Fault.BANNER,
    Fault.RESET,
    Fault.CLOSE,
    Fault.NONSENSE,
    Fault.LEAVE,
    Fault.HOST_KEY,
    Fault.AUTH,
    Fault.SUDO,
    Fault.DROP_COMMAND,
    Fault.NO_ANSWER,
    Fault.FREEZE,
    Fault.DISK_FULL,
    Fault.LATE,
    Fault.FORGED,
    Fault.ENDLESS,
)
_HANGS = {
    "connect_timeout": {Fault.DEAD},
    "banner_timeout": {Fault.MUTE, Fault.BANNER},
    "keepalive": {Fault.FREEZE, Fault.FREEZE_MIDWAY},
}


@dataclass(frozen=True)
class Node:
    name: str
    role: str


@dataclass(frozen=True)
class Round:
    """A command line that is run while these faults are there."""

    kind: str  # run, resume or retry
    faults: dict[str, Wrong] = field(default_factory=dict)


@dataclass(frozen=True)
class Scenario:
    seed: int
    nodes: tuple[Node, ...]
    job: Job
    parallel: int
    rounds: tuple[Round, ...]
    twice: str = ""  # what two machines of config.yaml share: name, address or nothing

    @property
    def selected(self) -> list[str]:
        return [n.name for n in self.nodes if not self.job.roles or n.role in self.job.roles]

    def settings(self) -> dict[str, float]:
        """The limits under `ssh`: short where a machine hangs and they have to end it."""
        there = {wrong.fault for round in self.rounds for wrong in round.faults.values()}
        short = {key: bool(faults & there) for key, faults in _HANGS.items()}
        return {
            "connect_timeout": SHORT if short["connect_timeout"] else LONG,
            "banner_timeout": SHORT if short["banner_timeout"] else LONG,
            "auth_timeout": LONG,
            "keepalive": SHORT / 4 if short["keepalive"] else LONG / 4,
        }

    def limit(self) -> float:
        """Seconds after which a run counts as hanging: what its faulty machines may take one after
        the other, and something for a busy machine here."""
        settings = self.settings()
        most = max(settings["connect_timeout"], settings["banner_timeout"])
        each = min(most, SHORT) + 5 * settings["keepalive"] + 2
        return 30 + each * len(self.nodes)


def schedule(seed: int) -> Scenario:
    """The scenario of a seed."""
    chance = random.Random(f"dlws {seed}")
    nodes = tuple(
        Node(f"node{n:03}", "infrastructure" if n == 1 else chance.choice(["worker"] * 3 + ["nfs"]))
        for n in range(1, chance.randint(3, 8) + 1)
    )
    job = chance.choices(list(JOBS), list(JOBS.values()))[0]
    if job.roles and not any(node.role in job.roles for node in nodes):
        nodes = (*nodes[:-1], Node(nodes[-1].name, job.roles[0]))
    ill = chance.choice([0.0, 0.2, 0.2, 0.35, 0.35, 1.0])
    first = {node.name: _fault(chance, job) for node in nodes if chance.random() < ill}
    if (name := nodes[0].name) in first and job.locks:
        # It is asked for the cluster's lock, too, how often is not for the schedule to say.
        first[name] = replace(first[name], once=False, skip=0)
    twice = chance.choice(["name", "address"]) if chance.random() < 0.04 else ""
    rounds = _rounds(chance, job, first)
    return Scenario(seed, nodes, job, chance.randint(1, 8), rounds, twice)


def _fault(chance: random.Random, job: Job) -> Wrong:
    fault = chance.choice(_possible(job))
    size = chance.choice(job.cuts or (1,))
    late = fault in {Fault.NO_ANSWER, Fault.DROP_COMMAND, Fault.FREEZE, Fault.LATE}
    if RESTART in job.words:
        # Only its first connection is watched for a lost command; what comes later is asked again.
        back = fault is Fault.HOST_KEY and chance.random() < 0.5
        return Wrong(fault, int(back), fault not in {Fault.HOST_KEY, Fault.AUTH, Fault.SUDO}, size)
    once = fault in {Fault.RESET} or chance.random() < 0.5
    once = once and fault not in AT_LISTENER | {Fault.DISK_FULL, Fault.DISK_SMALL, Fault.AUTH}
    return Wrong(fault, chance.randint(0, 2) if late else 0, once, size)


def _possible(job: Job) -> list[Fault]:
    """The faults that a job can meet."""
    found = list(_EVERYWHERE)
    if job.cuts:
        found += [*AT_UPLOAD, *AT_UPLOAD]
    if not job.files:
        found += AT_EFFECT
    if job.big:
        found += [Fault.DISK_SMALL] * 3
    return sorted(found, key=lambda fault: fault.value)


def _rounds(chance: random.Random, job: Job, first: dict[str, Wrong]) -> tuple[Round, ...]:
    """The first run, and what follows until every machine is well."""
    run = Round("run", first)
    follow = chance.choice(["", "resume", "resume", "retry"] if job.resumable else ["", "retry"])
    if not follow:
        # A person's own commands are not resumed: that is said, and nothing is sent.
        return (run, Round("resume")) if chance.random() < 0.2 else (run,)
    if chance.random() < 0.3 and RESTART not in job.words:
        # For good: how often a node is asked then is not for the schedule to say.
        again = {
            name: replace(_fault(chance, job), once=False, skip=0)
            for name in first
            if chance.random() < 0.5
        }
        return run, Round(follow, again), Round(follow)
    return run, Round(follow)
