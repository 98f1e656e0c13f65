"""How long a command takes before it does anything: python -m benchmarks.startup."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import PYTHON, ROOT, Figures
from tests.support.farm import Farm, cluster


def take(commands: Mapping[str, list[str]], place: Path, runs: int) -> dict[str, Figures]:
    """All commands in turn, `runs` times over."""
    samples: dict[str, list[measure.Sample]] = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            sample = measure.run(command, place / "out")
            if sample.code:
                sys.exit(f"{name}: status {sample.code}\n{sample.out[-2000:]}")
            samples[name].append(sample)
    return {name: measure.figures(taken) for name, taken in samples.items()}


def table(taken: Mapping[str, Figures], runs: int) -> str:
    lines = [f"{runs} interleaved runs, milliseconds.", ""]
    lines += ["| | wall min | wall median | CPU median |", "| --- | --- | --- | --- |"]
    for name, one in taken.items():
        numbers = (one.wall_min, one.wall_median, one.cpu_median)
        lines.append(f"| {name} | " + " | ".join(f"{n * 1000:.0f}" for n in numbers) + " |")
    click, start, bare, true = taken.values()
    ratio = start.wall_median / click.wall_median
    more = true.wall_median - bare.wall_median
    lines += [
        "",
        f"`--help` takes {ratio:.2f} times what importing click takes (target: at most 2.2); "
        f"`execonall true` on one node {more:+.2f} s beside "
        "bare Paramiko (target: at most +0.30 s).",
        "",
        f"On {measure.machine()}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="dlws-bench-"))
    try:
        with Farm(place, 1, "fake") as farm:
            (place / "known_hosts").write_text(farm.known_hosts)
            ours = str(cluster.directory(farm))
            loop = str(ROOT / "benchmarks/peers/paramiko_loop.py")
            commands = {
                "`python -c 'import click'`": [PYTHON, "-c", "import click"],
                "`deploy.py --help`": [PYTHON, "deploy.py", "--help"],
                "bare Paramiko, `true` on one node": [PYTHON, loop, str(place), "true"],
                "`deploy.py execonall true`, one node": [
                    *(PYTHON, "deploy.py", "--dir", ours),
                    *("execonall", "true"),
                ],
            }
            text = table(take(commands, place, options.runs), options.runs)
    finally:
        shutil.rmtree(place)
    print(text)
    if options.docs:
        measure.section("startup", text)


if __name__ == "__main__":
    main()
