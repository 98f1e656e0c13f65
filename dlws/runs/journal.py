"""What a run asked of which node, and what came of it: append-only under deploy/runs/ID/."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shlex
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core import localfiles
from dlws.core.connection import Outlet, Result
from dlws.core.errors import UsageError
from dlws.core.localfiles import MIB, private_directory
from dlws.core.nodeset import fold
from dlws.core.program import PROGRAM
from dlws.runs import history, records
from dlws.runs.appendlog import AppendLog, JournalUnwritable
from dlws.runs.nodelog import LogSpace, NodeLog
from dlws.secrets.redaction import Redactor
from dlws.shell import recorder
from dlws.shell.recorder import OperationOutcome

if TYPE_CHECKING:
    from dlws.shell.files import File


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds")


@dataclass
class Recording:
    """A command that is being recorded."""

    operation: str
    result: Result | None = None


class Journal:
    """The record of one run."""

    def __init__(self, directory: Path, run: str, redactor: Redactor) -> None:
        self.run, self.directory, self.step, self._redactor = run, directory, "", redactor
        self._lock, self._turns = threading.Lock(), Counter[tuple[str, str, str]]()
        found = list(records.records(directory))
        self._spent, self.placed = history.failed(found), history.placed(found)
        self.in_flight = history.in_flight(found)
        private_directory(directory)
        self._space = LogSpace(directory)
        self._writing = defaultdict[str, threading.Lock](threading.Lock)
        self._log = AppendLog(directory / records.NAME)

    def write(self, kind: str, **fields: Any) -> None:
        """Append a record. A torn last line is what a crash may leave; readers skip it."""
        record = {"time": now(), "kind": kind, **self._redactor.within(fields)}
        self._log.append(json.dumps(record))

    def operation(self, node: str, command: str, stdin: bytes) -> str:
        """The id of a node's next command; one that failed before gets another, to be run again."""
        with self._lock:
            while True:
                turn = self._turns[self.step, node, command]
                self._turns[self.step, node, command] += 1
                found = recorder.operation(self.run, self.step, node, command, stdin, turn)
                if found not in self._spent:
                    return found

    @contextmanager
    def recording(
        self, node: str, title: str, command: str, stdin: bytes, root: bool
    ) -> Iterator[Recording]:
        """Record a command of a node around the block that runs it and sets `result`.

        Where the block raises, the outcome is unknown here; the node's recorder knows it.
        """
        record = Recording(self.operation(node, command, stdin))
        start = time.monotonic()
        self.write("begin", node=node, operation=record.operation, title=title, root=root)
        try:
            yield record
        except BaseException as error:
            self.write("lost", node=node, operation=record.operation, why=str(error))
            raise
        result = record.result
        assert result is not None
        self.write(
            "done",
            node=node,
            operation=record.operation,
            title=title,
            code=result.code,
            seconds=round(time.monotonic() - start, 3),
            # Redactor before it is cut: half a secret is not known for one.
            last=self._redactor.text(result.complaint)[-2000:] if result.code else "",
        )

    def settled(self, node: str, title: str, found: OperationOutcome) -> None:
        """Record what came of a command that an earlier part of this run had left at work."""
        words = {"operation": found.operation, "code": found.code, "how": found.how}
        self.write("settled", node=node, title=title, **words)
        if not found.done:
            self._spent.add(found.operation)

    def placing(self, node: str, files: Iterable[File]) -> None:
        """Record files before they are written: what follows from them is due from then on."""
        rows = [(file.path, file.sha256) for file in files]
        self.write("placing", node=node, files=rows)

    def log(self, node: str) -> Outlet:
        """A receiver that appends a node's output to NODE.log, and what to call at its end.

        Of more than core.limits allows, the beginning and the end are kept.
        """
        path = self.directory / f"{node}.log"
        with self._lock:
            lock = self._writing[node]
        with self._kept(path):
            log = NodeLog(path, self._space, lock)

        def write(_: str, data: bytes) -> None:
            with self._kept(path):
                log.write(data)

        receive, flush = self._redactor.stream(write)

        def finish() -> None:
            try:
                flush()
            finally:
                log.close()

        return receive, finish

    @contextmanager
    def _kept(self, path: Path) -> Iterator[None]:
        """The block writes what belongs to the record: where it cannot, the run ends."""
        try:
            yield
        except OSError as error:
            self._log.stop(error)
            raise JournalUnwritable(path, error) from error

    def close(self, outcome: str) -> None:
        """The end of the run, on disk when this returns."""
        try:
            self.write("end", outcome=outcome)
        finally:
            self._log.close()


def new_id(now: float) -> str:
    """The id of a run that begins: ids sort as their runs began, within a second too."""
    begun = time.strftime("%Y%m%d-%H%M%S", time.localtime(now))
    return f"{begun}-{int(now % 1 * 0x10000):04x}{secrets.token_hex(1)}"


def config_hash(directory: Path) -> str:
    """One hash over the files of the configuration; empty where there is none yet."""
    if not (directory / "config.yaml").exists():
        return ""
    digest = hashlib.sha256()
    for name in ("config.yaml", "cluster.yaml", "azure_cluster_config.yaml"):
        path = directory / name
        digest.update(localfiles.read(path, 64 * MIB) if path.exists() else b"")
    return digest.hexdigest()


@dataclass(frozen=True)
class Run:
    """A run as its records tell it. `outcome`: ok, failed, or interrupted (no end was written)."""

    id: str
    argv: tuple[str, ...]
    command: str
    cwd: str
    config: str
    started: str
    ended: str
    outcome: str
    nodes: dict[str, str]
    """What became of each node: ok, failed, skipped (not tried), lost, or running where nothing was
    heard again."""

    def line(self) -> str:
        """The run as a line for people."""
        skipped = fold(name for name, state in self.nodes.items() if state == "skipped")
        bad = fold(name for name, state in self.nodes.items() if state not in ("ok", "skipped"))
        failed = (f"  failed: {bad}" if bad else "") + (
            f"  not tried: {skipped}" if skipped else ""
        )
        return f"{self.id}  {self.outcome:11}  {shlex.join(self.argv)}{failed}"


def read(directory: Path) -> Run:
    """The run recorded in a directory."""
    found = list(records.records(directory))
    first = next((r for r in found if r["kind"] == "run"), None)
    if first is None:
        raise UsageError(
            f"{directory / records.NAME}: what run it is of cannot be read",
            f"move {directory} away, and run the command anew",
        )
    last = found[-1]
    ended = last["kind"] == "end"
    nodes: dict[str, str] = {}
    for record in found:
        if "node" in record and record["kind"] != "changed":  # it may be in the middle of a command
            nodes[record["node"]] = _state(record)
    return Run(
        directory.name,
        tuple(first["argv"]),
        first["command"],
        first["cwd"],
        next(r["config"] for r in reversed(found) if "config" in r),
        first["time"],
        last["time"] if ended else "",
        last["outcome"] if ended else "interrupted",
        nodes,
    )


def _state(record: dict[str, Any]) -> str:
    states = {"begin": "running", "lost": "lost", "failed": "failed"}
    states |= {"skipped": "skipped", "aside": "failed"}
    if record["kind"] in ("done", "settled"):
        return {0: "ok", None: "lost"}.get(record["code"], "failed")
    return states.get(str(record["kind"]), "ok")


def runs(deploy: Path) -> list[Path]:
    """The directories of all runs, oldest first."""
    place = deploy / "runs"
    return sorted(filter(records.begun, place.iterdir())) if place.exists() else []


def find(deploy: Path, run: str = "") -> Path:
    """The directory of a run: the one whose id starts with `run`, or the last one."""
    found = [path for path in runs(deploy) if path.name.startswith(run)]
    if not found:
        raise UsageError(
            f"there is no run {run}" if run else "there was no run yet", f"see: {PROGRAM} runs list"
        )
    if run and len(found) > 1:
        raise UsageError(f"{run} begins the ids of {len(found)} runs", "give more of it")
    return found[-1]


def ended(run: Run) -> None:
    """Raise UsageError where a run came to its end."""
    if run.outcome == "ok":
        raise UsageError(f"{run.id} came to its end, there is nothing to resume", "")


def retry_failed(argv: Sequence[str]) -> str:
    return shlex.join([argv[0], "--retry-failed", *argv[1:]])


@contextmanager
def at(cwd: str, what: str) -> Iterator[None]:
    """Be where `what` was started, so that its relative paths mean the same."""
    before = os.getcwd()
    try:
        os.chdir(cwd)
    except OSError as error:
        raise UsageError(f"{cwd}, where {what} was started, is gone", "") from error
    try:
        yield
    finally:
        os.chdir(before)


def line(record: dict[str, Any]) -> str:
    """A record as a line for people."""
    kind = record["kind"]
    words = {
        "run": lambda r: shlex.join(r["argv"]),
        "begin": lambda r: f"begin {r['title']}",
        "done": lambda r: f"exit {r['code']} after {r['seconds']} s: {r['title']}",
        "lost": lambda r: f"outcome unknown: {r['why']}",
        "settled": lambda r: f"{r['how']} {r['code'] or ''}".strip() + f" meanwhile: {r['title']}",
        "placing": lambda r: f"writing {len(r['files'])} files",
        "changed": lambda r: f"changed {r['what']}",
        "put": lambda r: f"wrote {r['path']}",
        "step": lambda r: f"step {r['name']} done" + _without(r),
        "finished": lambda r: f"finished {r['title']}",
        "failed": lambda r: f"failed {r['title']}: {r['why']}",
        "skipped": lambda r: f"not tried {r['title']}: {r['why']}",
        "aside": lambda r: f"quarantined in step {r['step']}: {r['why']}",
        "end": lambda r: f"end: {r['outcome']}",
    }
    said = words[kind](record) if kind in words else kind
    node = f"{record['node']}: " if "node" in record else ""
    return f"{record['time'][:19].replace('T', ' ')}  {node}{said}"


def _without(step: dict[str, Any]) -> str:
    names = step.get("without")
    return f", but not on {fold(names)}" if names else ""


def log_end(directory: Path, node: str, size: int = 16384) -> str:
    """The last bytes of a node's log, from a line's beginning."""
    path = directory / f"{node}.log"
    if not path.exists():
        raise UsageError(f"{node} printed nothing in {directory.name}", f"see: {PROGRAM} runs show")
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        text = file.read().decode(errors="surrogateescape")
    return text if len(text) < size else text.partition("\n")[2]


def why(directory: Path, node: str) -> str:
    """The last failure of a node in a run, in words."""
    for record in reversed([r for r in records.records(directory) if r.get("node") == node]):
        if record["kind"] in ("failed", "lost"):
            return f"{record.get('title', '')}: {record['why']}".removeprefix(": ")
        if record["kind"] == "aside":
            return f"step {record['step']}: {record['why']}"
        if record["kind"] == "skipped":
            return f"not tried: {record['title']}: {record['why']}"
        if record["kind"] == "done" and record["code"]:
            return f"exit {record['code']} from {record['title']}\n{record['last']}"
    return f"{node} did not fail in {directory.name}"
