"""How long a configuration of many machines takes to load and check.

    python benchmarks/config_load.py [MACHINES]

Prints the best and the median of ten loads, and how long a fresh process needs for the imports.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROUNDS = 10
HEAD = "cluster_name: big\nnetwork: {domain: example.org}\npod_ip_range: 10.128.0.0/9\nmachines:\n"
INFRA = "  infra01:\n    role: infrastructure\n    private-ip: 172.16.0.1\n"
WORKER = """\
  worker{number:05}:
    role: worker
    private-ip: 172.17.{high}.{low}
    archtype: amd64
    type: gpu
    vendor: nvidia
    os: ubuntu
"""


def text(machines: int) -> str:
    workers = [
        WORKER.format(number=number, high=number // 250, low=number % 250 + 1)
        for number in range(machines - 1)
    ]
    return HEAD + INFRA + "".join(workers)


def timed(directory: Path) -> tuple[float, float]:
    """Wall and CPU seconds of one load; on a busy machine only the second says much."""
    from dlws.config import load

    wall, cpu = time.perf_counter(), time.process_time()
    load(directory)
    return time.perf_counter() - wall, time.process_time() - cpu


def process(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    machines = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "config.yaml").write_text(text(machines))
        times = [timed(directory) for _ in range(ROUNDS)]
    for name, spent in zip(("wall", "CPU"), zip(*times, strict=True), strict=True):
        first, best, median = (
            f"{seconds * 1000:.0f} ms"
            for seconds in (spent[0], min(spent), statistics.median(spent))
        )
        print(f"load {machines} machines, {name}: first {first}, best {best}, median {median}")
    imported = min(process("import dlws.config") for _ in range(3))
    bare = min(process("") for _ in range(3))
    print(f"import dlws.config in a fresh process: {(imported - bare) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
