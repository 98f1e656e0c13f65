"""What distance costs: round trips counted, and the time at several: python -m benchmarks.latency.

Against a real OpenSSH server on this machine (openssh-server is needed, and root).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from benchmarks import measure
from dlws.nodes.node import File
from dlws.runs.options import Options
from dlws.scripts import run, script
from dlws.session import Session
from tests.support.proxy import Distance, Place, Turns
from tests.support.sshd import Server, serving

MILLISECONDS = (0, 5, 50, 270)
HERE = "127.0.0.9"
LINES, FILES = 20, 40
STEPS = {"script of 20 lines": LINES, "40 files": FILES, "40 files, all there": FILES}
"""Stages, and the steps in each: lines of work, or files."""
LOGINS = ("dlws", "OpenSSH", "bare Paramiko")
PER_STEP, FACTOR, MORE = 0.2, 1.3, 3

Actions = dict[str, Callable[[], object]]


@dataclass(frozen=True)
class Found:
    """Round trips (without that of TCP itself), and seconds at each distance."""

    trips: dict[str, int]
    seconds: dict[str, dict[int, float]]


def cluster_of(server: Server, place: Path) -> Session:
    place.mkdir()
    (place / "config.yaml").write_text(
        "cluster_name: far\nadmin_username: root\n"
        f"ssh: {{port: {server.port}, key: {server.key}}}\n"
        f"machines:\n  far1: {{role: infrastructure, private-ip: {HERE}, type: cpu}}\n"
    )
    return Session(Options(directory=place))


def logins(server: Server, session: Session) -> Actions:
    """Connecting, and one command."""
    node = session.cluster.first
    known = server.key.parent / "known"
    options = ["-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=accept-new"]
    options += ["-o", f"UserKnownHostsFile={known}", "-i", str(server.key)]
    ssh = ["ssh", *options, "-p", str(server.port), f"root@{HERE}", "true"]

    def ours() -> None:
        node.close()
        node.read("true")

    def openssh() -> None:
        subprocess.run(ssh, stdin=subprocess.DEVNULL, capture_output=True, check=True)

    def bare() -> None:
        with paramiko.SSHClient() as client:
            client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
            login = {"username": "root", "key_filename": str(server.key)}
            client.connect(HERE, server.port, look_for_keys=False, allow_agent=False, **login)  # type: ignore[arg-type]
            client.exec_command("true")[1].channel.recv_exit_status()

    return dict(zip(LOGINS, (ours, openssh, bare), strict=True))


def stages(session: Session, place: Path) -> Actions:
    """What is measured on an open connection; the files go to a new place each time."""
    node, config = session.cluster.first, session.config
    work = place / "work.sh"
    work.write_text("".join(f": step {number}\n" for number in range(LINES)))
    found, trees = script.find(str(work)), list[list[File]]()

    def put() -> None:
        content, number = b"0123456789" * 100, len(trees)
        names = [f"{place}/put{number}/{file}" for file in range(FILES)]
        trees.append([File(name, content) for name in names])
        node.put_tree(trees[-1])

    actions = (lambda: run.run(node, config, found), put, lambda: node.put_tree(trees[-1]))
    return dict(zip(STEPS, actions, strict=True))


def find(runs: int) -> Found:
    with tempfile.TemporaryDirectory(prefix="dlws-bench-") as made, serving(Path(made)) as server:
        place = Path(made)
        session = cluster_of(server, place / "cluster")
        actions = logins(server, session) | stages(session, place)
        route: dict[Place, Place] = {(HERE, server.port): ("127.0.0.1", server.port)}
        seconds: dict[str, dict[int, float]] = {name: {} for name in actions}
        try:
            with Turns(route) as turns:
                trips = {name: counted(turns, session, action) for name, action in actions.items()}
            for far in MILLISECONDS:
                session.close()
                with Distance(route, far / 1000):
                    session.cluster.first.read("true")
                    for name, action in actions.items():
                        seconds[name][far] = timed(action, runs)
                    session.close()
        finally:
            session.finish("ok")
            session.close()
    return Found(trips, seconds)


def counted(turns: Turns, session: Session, action: Callable[[], object]) -> int:
    session.cluster.first.read("true")
    before = turns.trips
    action()
    return turns.trips - before


def timed(action: Callable[[], object], runs: int) -> float:
    taken = []
    for _ in range(runs):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def table(found: Found, runs: int) -> str:
    lines = [
        f"Medians of {runs} runs, seconds, at round trips of so many milliseconds.",
        "",
        f"| | round trips | {' | '.join(f'{far} ms' for far in MILLISECONDS)} |",
        f"| --- | --- |{' --- |' * len(MILLISECONDS)}",
    ]
    for name, count in found.trips.items():
        what = f"connect, log in, `true`: {name}" if name in LOGINS else name
        # That of TCP is none that the proxy sees, and is in the times.
        trips = f"{count + 1}" if name in LOGINS else f"{count}"
        row = " | ".join(f"{found.seconds[name][far]:.2f}" for far in MILLISECONDS)
        lines.append(f"| {what} | {trips} | {row} |")
    return "\n".join([*lines, "", *verdict(found), "", f"On {measure.machine()}."])


def verdict(found: Found) -> Sequence[str]:
    far = max(MILLISECONDS)
    words = []
    for name, steps in STEPS.items():
        each = found.trips[name] / steps
        near, there = found.seconds[name][0], found.seconds[name][far]
        limit = FACTOR * near + MORE * far / 1000
        met = each <= PER_STEP and there <= limit
        words.append(
            f"- {name}: {each:.2f} round trips per step (target: at most {PER_STEP}), "
            f"{there:.2f} s at {far} ms (target: at most {FACTOR} x {near:.2f} s + {MORE} round "
            f"trips = {limit:.2f} s): {'met' if met else 'MISSED'}"
        )
    return words


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.latency", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    with contextlib.redirect_stderr(io.StringIO()):  # what is said of progress
        found = find(options.runs)
    text = table(found, options.runs)
    print(text)
    if options.docs:
        measure.section("latency", text)


if __name__ == "__main__":
    main()
