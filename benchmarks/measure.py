"""Runs commands and takes their wall time and the CPU time of them and their children."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = str(ROOT / ".venv/bin/python")
BENCH_VENV = Path.home() / ".cache/dlws/bench-venv"


def install(*packages: str) -> None:
    """Others' tools have an environment of their own, so that dlws runs with its own pins."""
    if not (BENCH_VENV / "bin/pip").exists():
        subprocess.run([sys.executable, "-m", "venv", BENCH_VENV], check=True)
    pip = [str(BENCH_VENV / "bin/pip"), "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *packages], check=True)


@dataclass(frozen=True)
class Sample:
    """One run. `cpu` is user and system time of the process and every child it waited for."""

    wall: float
    cpu: float
    code: int
    out: str


def run(
    command: Sequence[str], out: Path, env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Sample:
    """One run, with its output (both streams) in the file `out`."""
    with out.open("wb") as file:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env={**os.environ, **(env or {})},
        )
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:  # interrupted: nothing of a contender may be left behind
            process.kill()
            process.wait()
            raise
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu = used.ru_utime + used.ru_stime
    return Sample(wall, cpu, process.returncode, out.read_text(errors="replace"))


def settle(limit: float = 60) -> None:
    """Wait until the machine is idle for four fifths of half a second, or for `limit` seconds."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        before = _processor_times()
        time.sleep(0.5)
        spent = [now - then for now, then in zip(_processor_times(), before, strict=True)]
        if spent[3] >= 0.8 * sum(spent):
            return


def _processor_times() -> list[int]:
    """Ticks of all processors by kind: user, nice, system, idle and so on."""
    return [int(word) for word in Path("/proc/stat").read_text().split("\n")[0].split()[1:]]


@dataclass(frozen=True)
class Figures:
    """Least and middle of several runs, in seconds."""

    wall_min: float
    wall_median: float
    cpu_min: float
    cpu_median: float
    runs: int


def figures(samples: Sequence[Sample]) -> Figures:
    walls, cpus = [s.wall for s in samples], [s.cpu for s in samples]
    return Figures(
        min(walls), statistics.median(walls), min(cpus), statistics.median(cpus), len(samples)
    )


def machine() -> str:
    """What the figures were taken on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    python = platform.python_version()
    where = f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, Python {python}"
    return f"{where}, load average {os.getloadavg()[0]:.1f}"


def section(name: str, text: str) -> None:
    """Puts text into docs/benchmarks.md between the marks of that name."""
    page = ROOT / "docs/benchmarks.md"
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, _, rest = page.read_text().partition(begin)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{begin}\n{text.strip()}\n{end}{after}")
