"""Plays a scenario against a farm, by the real command line, and compares with the oracle."""

from __future__ import annotations

import faulthandler
import os
import select
import shutil
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path
from typing import NoReturn

from dlws.cli import main
from dlws.runs import journal
from tests.support.farm import Farm, Received
from tests.support.farm.faults import Fault, Wrong
from tests.support.schedule import oracle
from tests.support.schedule.oracle import State, Strike, Verdict
from tests.support.schedule.scenario import Round, Scenario

_STEP = '#!/bin/sh\neffect "$@"\n'
_RESTART = (
    '#!/bin/sh\n[ "${1-}" != continue ] || { effect second; exit; }\neffect first && exit 194\n'
)
_DONE = (None, 0, 7, 194)  # exit statuses of what did run; None: it was struck before its end
_SOURCES = {
    "small": {"small": b"payload small\n"},
    "tree": {"tree/a": b"payload a\n", "tree/deep/b c": b"payload b\n" * 99, "tree/d": b""},
    "big": {"big": b"payload big\n" * 17_000},
}


class Play:
    """One scenario: its directory, its farm, and what was found wrong."""

    def __init__(self, scenario: Scenario, farm: Farm, directory: Path) -> None:
        self.scenario, self.farm, self.directory = scenario, farm, directory
        self.problems: list[str] = []

    def run(self) -> list[str]:
        """What is not as the oracle says; nothing, if all is."""
        self._prepare()
        verdict = oracle.begin(self.scenario)
        for number, round in enumerate(self.scenario.rounds):
            self._become(round, fresh=number == 0)
            before = len(self.farm.received())
            code = self._command(number, round)
            seen = self.farm.settle()
            received = self.farm.received()[before:]
            verdict = oracle.follow(verdict, self.scenario, round, self._struck(received))
            self.problems += [
                f"round {number} ({round.kind}): {problem}"
                for problem in self._compare(round, code, verdict, received, seen)
            ]
        return self.problems

    def _prepare(self) -> None:
        keys = self.directory / "deploy/sshkey"
        keys.mkdir(parents=True)
        shutil.copy(self.farm.key, keys / "id_rsa")
        (keys / "known_hosts").write_text(self.farm.known_hosts)
        for name, text in (("step.sh", _STEP), ("restart.sh", _RESTART)):
            (self.directory / name).write_text(text)
        for path, content in _SOURCES.get(self.scenario.job.files, {}).items():
            (self.directory / path).parent.mkdir(parents=True, exist_ok=True)
            (self.directory / path).write_bytes(content)
        (self.directory / "config.yaml").write_text(self._config())

    def _config(self) -> str:
        hosts = {host.name: host for host in self.farm.hosts}
        rows = [(node.name, node.role, hosts[node.name].address) for node in self.scenario.nodes]
        name, role, address = rows[-1]
        if self.scenario.twice == "name":
            rows.append((name, role, "127.77.9.9"))
        elif self.scenario.twice == "address":
            rows.append(("another", role, address))
        limits = "".join(f"  {key}: {value}\n" for key, value in self.scenario.settings().items())
        machines = "".join(f"  {n}: {{role: {r}, private-ip: {a}}}\n" for n, r, a in rows)
        port = self.farm.hosts[0].port
        return (
            f"cluster_name: seed\nadmin_username: dlws\nssh:\n  port: {port}\n{limits}"
            f"machines:\n{machines}"
        )

    def _become(self, round: Round, fresh: bool) -> None:
        number = {host.name: n for n, host in enumerate(self.farm.hosts, 1)}
        self.farm.become({number[name]: w for name, w in round.faults.items()}, fresh)

    def words(self, round: Round) -> list[str]:
        if round.kind == "resume":
            return ["resume"]
        retry = ["--retry-failed"] if round.kind == "retry" else []
        return [*retry, "--parallel", str(self.scenario.parallel), *self.scenario.job.words]

    def _command(self, number: int, round: Round) -> int | None:
        """The exit status of the command line; None where it had to be ended."""
        output = self.directory / f"output{number}"
        child = os.fork()
        if child == 0:
            _be(["deploy.py", *self.words(round)], self.directory, output, self.scenario.limit())
        ended = _ends(child, self.scenario.limit() + 5)
        if not ended:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        hangs = not ended or "Timeout (" in output.read_text(errors="replace")
        return None if hangs else os.waitstatus_to_exitcode(status)

    def _struck(self, received: list[Received]) -> dict[str, list[Strike]]:
        struck: dict[str, list[Strike]] = {}
        for one in received:
            if one.fault:
                mark = self.scenario.job.mark
                carried = mark in one.command.encode() or mark in one.stdin
                carried = carried and one.code in _DONE
                struck.setdefault(one.host, []).append(Strike(Fault(one.fault), carried))
        return struck

    def _compare(
        self,
        round: Round,
        code: int | None,
        verdict: Verdict,
        received: list[Received],
        seen: dict[str, dict[str, int]],
    ) -> list[str]:
        said = "hangs" if code is None else f"exit {code}"
        found = [] if code == verdict.code else [f"{said}, not {verdict.code}"]
        if verdict.code != 2:
            found += self._partition(verdict)
        for name, state in verdict.states.items():
            found += [f"{name}: {problem}" for problem in self._node(name, state)]
            if seen[name]["running"]:
                found.append(f"{name}: something of it runs for ever")
            aside = verdict.code == 2 or name not in self._asked(verdict)
            if aside and seen[name]["connections"]:
                found.append(f"{name}: was connected to, which had no part in it")
            wrong = round.faults.get(name, Wrong())
            commands = [one for one in received if one.host == name]
            if wrong == Wrong(Fault.HOST_KEY) and (commands or seen[name]["logins"]):
                found.append(f"{name}: has another key, and was sent something all the same")
        return found

    def _asked(self, verdict: Verdict) -> frozenset[str]:
        """The nodes that may be connected to: the first holds the cluster's lock, too."""
        first = [self.scenario.nodes[0].name] if self.scenario.job.locks else []
        return verdict.done | verdict.failed | frozenset(first)

    def _partition(self, verdict: Verdict) -> list[str]:
        places = journal.runs(self.directory / "deploy")
        if not places:
            return ["there is no record of the run"]
        nodes = journal.read(places[-1]).nodes
        done = {name for name, state in nodes.items() if state == "ok"}
        failed = {name for name, state in nodes.items() if state in {"failed", "lost"}}
        found = [
            f"recorded as {state}: {n}" for n, state in nodes.items() if n not in done | failed
        ]
        for word, is_so, must in (("done", done, verdict.done), ("failed", failed, verdict.failed)):
            if is_so != must:
                found.append(f"recorded as {word}: {sorted(is_so)}, not {sorted(must)}")
        return found

    def _node(self, name: str, state: State) -> list[str]:
        home, found = self.farm.home(name), []
        path = home / "effect"
        lines = path.read_text().split() if path.exists() else []
        if Counter(lines) != Counter(state.lines):
            found.append(f"took effect as {lines}, not as {list(state.lines)}")
        place, sources = home / "placed", _SOURCES.get(self.scenario.job.files, {})
        there = {str(p.relative_to(place)): p for p in place.rglob("*") if not p.is_dir()}
        files = {name: path.read_bytes() for name, path in there.items()}
        if files != (sources if state.placed else {}):
            found.append(
                f"has {sorted(files)}, which is not {'all' if state.placed else 'nothing'}"
            )
        return found


_CRASHED = 70


def _ends(process: int, seconds: float) -> bool:
    """Whether it ends in time."""
    handle = os.pidfd_open(process)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def _be(argv: list[str], directory: Path, output: Path, limit: float) -> NoReturn:
    """Be the program, from its first line to the end of its last thread."""
    try:
        os.chdir(directory)
        handle = os.open(output, os.O_WRONLY | os.O_CREAT, 0o600)
        for number in (1, 2):
            os.dup2(handle, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv[:] = argv
        faulthandler.dump_traceback_later(limit, exit=True)  # says where it hangs
        sys.warnoptions.clear()  # then it ends by itself, and does not come back here
        main()
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(_CRASHED)
