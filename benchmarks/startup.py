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

MANY = """
import sys
from dlws.cli.table import COMMANDS
text = "Do something for which a line of its own is too short, as most of them do"
COMMANDS.update({f"command{n}": ("none", text) for n in range(120 - len(COMMANDS))})
sys.argv = ["deploy.py", "--help"]
from dlws.cli import main
main()
"""
"""The help with 120 commands in the table."""


def take(commands: Mapping[str, list[str]], place: Path, runs: int) -> dict[str, Figures]:
    """All commands in turn, `runs` times over, after a turn that compiles what they import."""
    samples: dict[str, list[measure.Sample]] = {name: [] for name in commands}
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(place / "bytecode")}
    for turn in range(runs + 1):
        for name, command in commands.items():
            sample = measure.run(command, place / "out", compiled)
            if sample.code:
                sys.exit(f"{name}: status {sample.code}\n{sample.out[-2000:]}")
            samples[name] += [sample] if turn else []
    return {name: measure.figures(taken) for name, taken in samples.items()}


def table(taken: Mapping[str, Figures], runs: int) -> str:
    lines = [f"{runs} interleaved runs, milliseconds.", ""]
    lines += ["| | wall min | wall median | CPU median |", "| --- | --- | --- | --- |"]
    for name, one in taken.items():
        numbers = (one.wall_min, one.wall_median, one.cpu_median)
        lines.append(f"| {name} | " + " | ".join(f"{n * 1000:.0f}" for n in numbers) + " |")
    click, start, many, bare, true = (one.wall_min for one in taken.values())
    lines += [
        "",
        f"`--help` takes {start / click:.2f} times what importing click takes, with 120 commands "
        f"{many / click:.2f} times (target: at most 1.6); `execonall true` on one node takes "
        f"{true - bare:+.2f} s beside bare Paramiko (target: at most +0.30 s). All by wall min.",
        "",
        f"On {measure.machine()}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.startup", description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
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
                "`--help` of 120 commands": [PYTHON, "-c", MANY],
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
