"""Control groups of nodes, on cgroup v1, hybrid and v2 machines.

Run on hybrid; the v2 paths follow the kernel's and systemd's documentation and were not run.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterable
from pathlib import Path

from dlws.core.errors import DeployError

GROUPS = Path("/sys/fs/cgroup")


def groups(label: str, root: Path = GROUPS) -> list[Path]:
    """The node's own control group in every hierarchy, wherever its starter stood."""
    names = {f"dlws-{label}", f"dlws-{label}.scope"}
    found: list[Path] = []
    for path, folders, _ in os.walk(root):
        mine = names.intersection(folders)
        found += [Path(path, name) for name in mine]
        # Below a node's group lie only that node's own.
        folders[:] = [name for name in folders if not name.startswith("dlws-")]
    return found


def processes(found: Iterable[Path]) -> set[int]:
    """Every process in these groups and below them."""
    pids: set[int] = set()
    for group in found:
        for path, _, files in os.walk(group):
            if "cgroup.procs" in files:
                pids.update(_pids(Path(path, "cgroup.procs")))
    return pids


def _pids(file: Path) -> list[int]:
    try:
        return [int(line) for line in file.read_text().split()]
    except OSError:  # gone meanwhile, or of a kind that lists none (threaded)
        return []


def leader(pids: Iterable[int]) -> int | None:
    """The node's process 1: the one that is 1 in the process namespace below ours."""
    for pid in pids:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        if is_leader(status):
            return pid
    return None


def is_leader(status: str) -> bool:
    """Whether a /proc/PID/status belongs to process 1 of a namespace directly below ours."""
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return line.split()[2:] == ["1"]
    return False


def freeze(found: Iterable[Path], frozen: bool) -> bool:
    """Freezes or thaws all that runs in the groups; False where no group can be frozen."""
    done = False
    for group in found:
        for name, values in (
            ("freezer.state", ("THAWED", "FROZEN")),
            ("cgroup.freeze", ("0", "1")),
        ):
            file = group / name
            if file.exists() and not (name == "cgroup.freeze" and _hybrid()):
                file.write_text(values[frozen])
                done = True
    return done


def _hybrid() -> bool:
    """On hybrid machines the v1 freezer holds the processes that matter."""
    return (GROUPS / "freezer").is_dir()


def is_frozen(found: Iterable[Path]) -> bool:
    for group in found:
        for name in ("freezer.state", "cgroup.freeze"):
            file = group / name
            if file.exists() and file.read_text().strip() in ("FROZEN", "FREEZING", "1"):
                return True
    return False


def labels(id: str, root: Path = GROUPS) -> set[str]:
    """The labels of a sandbox's nodes that have a control group, known or not."""
    found = set()
    for _, folders, _ in os.walk(root):
        mine = [name for name in folders if name.startswith(f"dlws-{id}-")]
        found |= {name.removeprefix("dlws-").removesuffix(".scope") for name in mine}
        folders[:] = [name for name in folders if not name.startswith("dlws-")]
    return found


def end(label: str, deadline: float) -> None:
    """Kills all that runs in the node's groups and removes the groups."""
    while True:
        found = groups(label)
        freeze(found, False)
        pids = processes(found)
        if not pids:
            break
        if time.monotonic() > deadline:
            raise DeployError(
                f"processes of node {label} do not end: {', '.join(map(str, sorted(pids)))}",
                "look at them with `ps`; then run the same command again",
            )
        kill(pids, deadline)
    for group in found:
        _remove(group, deadline)


def _remove(group: Path, deadline: float) -> None:
    for path, _, _ in os.walk(group, topdown=False):
        while True:
            try:
                os.rmdir(path)
                break
            except FileNotFoundError:  # systemd removes its empty scopes by itself
                break
            except OSError as error:  # busy: what was killed has not quite left yet
                if time.monotonic() > deadline:
                    raise DeployError(f"cannot remove {path}: {error.strerror}") from None
                select.select([], [], [], 0.05)


def kill(pids: Iterable[int], deadline: float) -> None:
    """Kills processes and waits until they are gone, or until the deadline."""
    waiting = []
    for pid in pids:
        try:
            handle = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
            waiting.append(handle)
        except ProcessLookupError:
            os.close(handle)
    for handle in waiting:
        select.select([handle], [], [], max(0.0, min(2.0, deadline - time.monotonic())))
        os.close(handle)
