"""Runs that have nothing to do, and one more node: python -m benchmarks.scale."""

from __future__ import annotations

import argparse
import base64
import json
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import PYTHON, Sample
from dlws.nodes import commands
from dlws.nodes.cluster import Cluster
from dlws.prepare import hosts
from dlws.runs.options import Options
from dlws.session import Session
from dlws.ssh.loginshell import PROBE
from dlws.verify import collect
from dlws.verify import run as verify
from dlws.verify.compare import expected
from tests.support.farm import Farm, Received, cluster

FILES = 20
TARGET = 5
NAMES = "up --only hosts"
LOCK = "lock=/var/lib/dlws/lock"


def _counts(one: Received) -> bool:
    return LOCK not in one.command and one.command != PROBE


class Scale:
    """A farm, and clusters of its first hosts, on which all that is asked for is in place.

    The hosts answer from a table: what they print is known, so no process is started for it.
    """

    def __init__(self, place: Path, size: int) -> None:
        """Room for `size` hosts and one more."""
        self.place, self.size = place, size
        self.tree, self.script = place / "tree", place / "script.sh"
        self.tree.mkdir(parents=True)
        for number in range(FILES):
            (self.tree / f"file{number:02}").write_text(f"{number}\n" * 100)
        self.script.write_text("true\n")
        table = place / "answers.json"
        self.farm = Farm(place / "farm", size + 1, "fake", answers=table)
        self.directory = cluster.directory(self.farm, size)
        table.write_text(json.dumps(self._answers()))

    def _answers(self) -> list[dict[str, object]]:
        of = Session(Options(directory=self.directory)).cluster
        names = hosts.merged("", hosts.lines(of))
        states = "".join(f"{f.state}\n" for f in commands.tree(self.tree, "/opt/tree"))
        return [
            {"match": LOCK, "out": "taken\n", "stdin": True},
            {"match": "Ask this node", "out": _verified(of, names), "stdin": True},
            {"match": "&& cat /etc/hosts", "out": f"644 root:root\n{names}"},
            {"match": "sha256sum.* /etc/hosts", "out": "- - -\n"},
            {"match": "sha256sum", "out": states},
            {"match": "tar -xf", "stdin": True},
        ]

    def stages(self) -> dict[str, Sequence[str]]:
        return {
            "sshkey install": ("sshkey", "install"),
            NAMES: ("up", "onpremise", "--only", "hosts"),
            f"copytoall, {FILES} files": ("copytoall", str(self.tree), "/opt/tree"),
            "runscriptonall": ("runscriptonall", str(self.script)),
            "verify": ("verify",),
        }

    def run(self, *words: str, directory: Path | None = None) -> tuple[Sample, list[Received]]:
        """A run of deploy.py, and what the hosts were sent in it."""
        before = len(self.farm.received())
        command = [PYTHON, "deploy.py", "--dir", str(directory or self.directory), *words]
        sample = measure.run(command, self.place / "out")
        if sample.code not in ({0} if directory is None else {0, 5}):  # the table has the old names
            sys.exit(f"{' '.join(words)}: status {sample.code}\n{sample.out[-2000:]}")
        return sample, self.farm.received()[before:]

    def per_host(self, received: Sequence[Received]) -> set[int]:
        """How many commands each host was sent; those that were sent as many count once.

        The cluster's lock is apart: it costs a run two commands on the first host, at any size;
        and what shows before the first input whether a host runs commands.
        """
        sent = Counter(one.host for one in received if _counts(one))
        return {sent[host.name] for host in self.farm.hosts[: self.size]}

    def one_more(self) -> dict[str, tuple[set[int], int]]:
        """What it takes to add a host, by stage: the commands to each of those that were there
        before, and to the new one."""
        wider = cluster.directory(self.farm, self.size + 1)
        new = self.farm.hosts[-1].name
        found = {}
        for name, words in self.stages().items():
            limit = () if name == NAMES else ("--nodes", new)
            _, received = self.run(*limit, *words, directory=wider)
            found[name] = (
                self.per_host(received),
                sum(one.host == new and _counts(one) for one in received),
            )
        return found

    def __enter__(self) -> Scale:
        return self

    def __exit__(self, *_: object) -> None:
        self.farm.stop()


def _verified(of: Cluster, names: str) -> str:
    """What a node answers to `verify` where nothing differs: its names, and no complaint."""
    node, known = of.nodes[-1], verify.knowledge(of)
    asked = collect.questions(of, node, known, expected(of, node, known))
    answers = {"hosts": base64.b64encode(names.encode()).decode()}
    rows = (f"{n} 0 {answers.get(question.name, '')} " for n, question in enumerate(asked))
    return "".join(f"{row}\n" for row in rows)


def table(size: int, runs: int, samples: dict[str, list[Sample]], sent: dict[str, set[int]]) -> str:
    lines = [
        f"{size} hosts, {runs} runs of each, seconds.",
        "",
        "| nothing to do | wall min | wall median | client CPU median | commands to each host |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, taken in samples.items():
        one, each = measure.figures(taken), ", ".join(map(str, sorted(sent[name])))
        seconds = (one.wall_min, one.wall_median, one.cpu_median)
        lines.append(f"| {name} | {' | '.join(f'{s:.2f}' for s in seconds)} | {each} |")
    slow = [n for n, taken in samples.items() if measure.figures(taken).wall_median >= TARGET]
    met = not slow and all(each == {1} for each in sent.values())
    words = "met" if met else f"MISSED ({', '.join(slow) or 'commands'})"
    return "\n".join([*lines, "", f"Target: under {TARGET} s, one command to each host: {words}."])


def growth(sizes: dict[int, dict[str, tuple[set[int], int]]]) -> str:
    """What one more host takes at each size."""
    stages = list(next(iter(sizes.values())))
    head = " | ".join(f"{size} hosts" for size in sizes)
    lines = [
        "One more host: commands to each host that was there before, and to the new one.",
        "",
        f"| stage | {head} |",
        f"| --- |{' --- |' * len(sizes)}",
    ]
    for stage in stages:
        row = (
            f"{', '.join(map(str, sorted(at[stage][0])))}; {at[stage][1]}" for at in sizes.values()
        )
        limit = "" if stage == NAMES else "--nodes NEW "
        lines.append(f"| {limit}{stage} | {' | '.join(row)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--hosts", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="dlws-bench-"))
    samples: dict[str, list[Sample]] = {}
    sent: dict[str, set[int]] = {}
    try:
        more = {}
        for size in sorted({10, min(100, options.hosts), options.hosts}):
            with Scale(place / str(size), size) as scale:
                more[size] = scale.one_more()
                for _ in range(options.runs if size == options.hosts else 0):
                    for name, words in scale.stages().items():
                        measure.settle()
                        sample, received = scale.run(*words)
                        samples.setdefault(name, []).append(sample)
                        sent[name] = sent.get(name, set()) | scale.per_host(received)
    finally:
        shutil.rmtree(place)
    parts = [table(options.hosts, options.runs, samples, sent), growth(more)]
    text = "\n\n".join([*parts, f"On {measure.machine()}."])
    print(text)
    if options.docs:
        measure.section("scale", text)


if __name__ == "__main__":
    main()
