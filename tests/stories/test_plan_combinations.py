"""Combinations of configuration, node state and command: the plan is the contract.

DLWS_SEEDS=1000 tries so many. One of them alone: DLWS_SEED=123 and this file.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
from collections import Counter
from pathlib import Path

import click
import pytest

from dlws.cli.plan import nested
from dlws.nodes import inventory
from dlws.runs.plan import Key
from tests.support.simulated import CHECKED, Change, World, place_key

SEEDS = int(os.environ.get("DLWS_SEEDS", "300"))

BATCH = 100

_STEPS = ("hosts", "prepare", "dns", "tools", "init", "join")


class Case:
    """What one seed makes: a directory with a configuration, nodes in some state, a command."""

    def __init__(self, seed: int, directory: Path, ca: bytes) -> None:
        self.dice, self.directory = random.Random(seed), directory
        dice = self.dice
        infra, workers = dice.choice([1, 1, 3]), dice.randint(0, 4)
        names = [*(f"infra{n}" for n in range(infra)), *(f"w{n}" for n in range(workers))]
        self.world = World({f"127.9.0.{n}": name for n, name in enumerate(names, 1)}, dice, ca)
        self.user = dice.choice(["root", "root", "admin"])
        self._write_config()
        self._write_sources()
        self._set_up_nodes()
        self.command = self._command(names)

    def _write_config(self) -> None:
        rows = "".join(
            f"  {box.name}: {{role: {'infrastructure' if 'infra' in box.name else 'worker'}, "
            f"private-ip: {address}}}\n"
            for address, box in self.world.boxes.items()
        )
        parallel = self.dice.choice(["", "network: {domain: a.example}\n"])
        (self.directory / "config.yaml").write_text(
            f"cluster_name: c\nadmin_username: {self.user}\n{parallel}"
            "kubernetes: {version: 1.20.2, network: bridge, source: packages}\n"
            f"container_runtime: containerd\nmachines:\n{rows}"
        )
        place_key(self.directory)

    def _write_sources(self) -> None:
        (self.directory / "src/deep").mkdir(parents=True)
        for name in ("a", "b c", "deep/d'e"):
            path = self.directory / "src" / name
            path.write_text(self.dice.choice(["one\n", "two\nthree", "\x00\xff", ""]))
            path.chmod(self.dice.choice([0o644, 0o600, 0o755]))
        checked = f"{CHECKED}\n" if self.dice.random() < 0.5 else ""
        (self.directory / "job.sh").write_text(f"#!/usr/bin/env bash\n{checked}true\n")

    def _set_up_nodes(self) -> None:
        dice, source = self.dice, self.directory / "src"
        for box in self.world.boxes.values():
            for path in source.rglob("*"):
                if path.is_file() and dice.random() < 0.6:
                    mine = dice.random() < 0.5
                    content = path.read_bytes() if mine else b"theirs\n"
                    mode = dice.choice([0o644, path.stat().st_mode & 0o777])
                    where = f"/opt/x/{path.relative_to(source)}"
                    box.files[where] = (content, mode, dice.choice(["root:root", "a:a"]))
            if dice.random() < 0.7:
                box.files["/etc/hosts"] = (b"127.0.0.1 localhost\n", 0o644, "root:root")
            if dice.random() < 0.5:
                box.files["/etc/containerd/config.toml"] = (b"version = 2\n", 0o644, "root:root")
        for name in dice.sample(sorted(self.world.masters), dice.randint(0, 1)):
            for member in [name, *(b.name for b in self.world.boxes.values())]:
                if member == name or dice.random() < 0.5:
                    self.world.join(member)

    def _command(self, names: list[str]) -> list[str]:
        dice, place = self.dice, self.directory
        words = dice.choice([
            ["execonall", "touch", "/x y"], ["doonall", "rm -f /x; echo 'it''s'"],
            ["copytoall", f"{place}/src", "/opt/x"], ["copytoall", f"{place}/src/a", "/opt/x/a"],
            ["copytoall", f"{place}/src/b c", "/opt/x/"],
            ["runscriptonall", f"{place}/job.sh", "$(x)"],
            ["runscriptonroles", "infra", f"{place}/job.sh"],
            ["runscriptonrandmaster", f"{place}/job.sh"], ["hosts"],
            ["up", "onpremise", "--only", "build", "--only", "hosts"],
            *2 * [["up", "onpremise", *(f"--only={step}" for step in _STEPS)]],
            ["kubeadm", "init"], ["kubeadm", "join"],
            ["kubeadm", "reset", dice.choice(names), "--yes-reset", "c"],
        ])  # fmt: skip
        front = ["--dir", str(place)]
        if dice.random() < 0.3 and words[0] != "kubeadm":
            front += ["--nodes", ",".join(dice.sample(names, dice.randint(1, len(names))))]
        front += dice.choice([[], ["--sudo"], ["--parallel", "1"]])
        return [*front, *words]

    def perturb(self) -> None:
        """Somebody else changes something that a plan may have been made from."""
        box = self.dice.choice(list(self.world.boxes.values()))
        for path in [*box.files, "/opt/x/a", "/etc/hosts"]:
            box.files[path] = (b"# moved\n", 0o640, "root:root")

    def run(self, *words: str) -> tuple[int, str]:
        said = io.StringIO()
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            try:
                code, _ = nested(words)
            except click.ClickException as error:
                raise AssertionError(error.format_message()) from error
        return code, said.getvalue()


def check(seed: int, place: Path, ca: bytes, patch: pytest.MonkeyPatch) -> str:
    """One seed, from plan to apply; what became of it."""
    case = Case(seed, place, ca)
    patch.setattr(inventory, "Ssh", case.world.connect)
    patch.setattr(sys, "argv", ["deploy.py"])
    before = case.world.hashes()
    file = str(place / "plan.json")
    code, said = case.run("plan", "-o", file, *case.command)
    assert not case.world.changes, f"planning changed: {case.world.changes[0]}"
    assert case.world.hashes() == before
    if code:
        assert not Path(file).exists(), said
        return f"exit {code}"
    from dlws.runs.plan import key_of, load

    planned = load(Path(file))
    secret = key_of(planned)
    moved = case.dice.random() < 0.25
    if moved:
        case.perturb()
    patch.setattr(sys, "stdin", io.StringIO("c\n"))  # the cluster's name, where it is asked for
    code, said = case.run("--dir", str(place), "apply", file)
    done = [(change, change.keys(secret)) for change in case.world.changes]
    unplanned = surplus(done, [action.key for action in planned.actions])
    assert not unplanned, f"not in the plan: {unplanned[0]}\n{said}"
    if code == 4:
        assert moved, f"refused, though nothing moved:\n{said}"
        assert not case.world.changes, "refused, and changed all the same"
        return "refused"
    assert code == 0, said
    left = must(planned.actions) - Counter(key for _, keys in done for key in keys)
    assert not left, f"in the plan, and not done: {left}"
    if any(unknown.nodes for unknown in planned.unknown):
        return "applied, but for some nodes"
    return "moved and still right" if moved else "applied"


def surplus(done: list[tuple[Change, set[Key]]], keys: list[Key]) -> list[Change]:
    """The changes that no action of the plan is left for."""
    allowed, found = Counter(keys), []
    for change, own in done:
        fitting = [key for key in own if allowed[key]]
        if fitting:
            allowed[fitting[0]] -= 1
        else:
            found.append(change)
    return found


def must(actions: object) -> Counter[object]:
    """The actions on nodes that a plan promises."""
    return Counter(a.key for a in actions if a.node and not a.maybe)  # type: ignore[attr-defined]


def batches() -> list[list[int]]:
    if one := os.environ.get("DLWS_SEED"):
        return [[int(one)]]
    return [list(range(start, start + BATCH)) for start in range(0, SEEDS, BATCH)]


@pytest.mark.parametrize("seeds", batches(), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}")
def test_what_is_applied_was_planned(seeds: list[int], tmp_path: Path, ca: bytes) -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        place = tmp_path / str(seed)
        place.mkdir()
        with pytest.MonkeyPatch.context() as patch:
            try:
                outcomes[check(seed, place, ca, patch)] += 1
            except Exception as error:
                line = f"DLWS_SEED={seed} pytest {Path(__file__).relative_to(Path.cwd())}"
                raise AssertionError(f"seed {seed}; alone: {line}\n{error}") from error
        shutil.rmtree(place)
    # A batch in which nothing is applied, or nothing refused, would prove nothing.
    assert len(seeds) == 1 or outcomes["applied"] > len(seeds) / 3, outcomes
    assert len(seeds) == 1 or outcomes["refused"] > 0, outcomes
    assert len(seeds) == 1 or outcomes["applied, but for some nodes"] > 0, outcomes
