"""What finishing costs after a failure at nine tenths of a run: python -m benchmarks.resume.

A run of ten steps on hosts that run what they are sent; each step takes a while on every host. It
fails in its last step on all hosts, or is killed when that begins; then `resume` carries it on.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import PYTHON, ROOT, Sample
from benchmarks.ten_steps import STEPS
from tests.support.farm import Farm, cluster

SCRIPT = f"""#!/bin/sh
sleep SECONDS
[ "$1" != {STEPS} ] || [ ! -e "$HOME/broken" ]
"""
TARGET = 0.15
FULL = "a whole run"


class Runs:
    """Runs of deploy.py on the hosts of a farm."""

    def __init__(self, farm: Farm, seconds: float) -> None:
        self.farm = farm
        self.directory = cluster.directory(farm)
        script = self.directory / "work.sh"
        script.write_text(SCRIPT.replace("SECONDS", str(seconds)))
        self._line = [PYTHON, "-m", "benchmarks.ten_steps", "--dir", str(self.directory)]

    def run(self, *words: str, code: int = 0) -> Sample:
        sample = measure.run([*self._line, *words], self.directory / "out")
        if sample.code != code:
            sys.exit(f"{' '.join(words)}: status {sample.code}\n{sample.out[-2000:]}")
        return sample

    def full(self) -> Sample:
        return self.run("up", "onpremise")

    def after_failure(self) -> Sample:
        """The last step fails on every host; once its cause is gone, the rest."""
        causes = [self.farm.home(host.name) / "broken" for host in self.farm.hosts]
        for cause in causes:
            cause.touch()
        self.run("up", "onpremise", code=1)
        for cause in causes:
            cause.unlink()
        return self.run("resume")

    def after_kill(self) -> Sample:
        """The program is killed as the last step begins; the rest."""
        before, most = self._count(), (STEPS - 1) * len(self.farm.hosts)
        process = subprocess.Popen(
            [*self._line, "up", "onpremise"],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while self._count() - before < most and process.poll() is None:
            time.sleep(0.01)
        process.kill()
        process.wait()
        return self.run("resume")

    def _count(self) -> int:
        return (self.farm.directory / "received.jsonl").read_bytes().count(b"\n")


def table(samples: dict[str, list[Sample]], hosts: int, seconds: float) -> str:
    base = measure.figures(samples[FULL])
    lines = [
        f"{hosts} hosts, {STEPS} steps of {seconds:g} s on each, {base.runs} interleaved runs.",
        "",
        "| | wall median | ratio | client CPU median | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    worst = 0.0
    for name, taken in samples.items():
        one = measure.figures(taken)
        wall, cpu = one.wall_median / base.wall_median, one.cpu_median / base.cpu_median
        cells = (one.wall_median, wall, one.cpu_median, cpu)
        lines.append(f"| {name} | {' | '.join(f'{cell:.2f}' for cell in cells)} |")
        worst = max(worst, 0 if name == FULL else wall)
    met = "met" if worst <= TARGET else "MISSED"
    words = f"Target: at most {TARGET} of a whole run: {met}."
    return "\n".join([*lines, "", words, "", f"On {measure.machine()}."])


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.resume", description=__doc__)
    parser.add_argument("--hosts", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=3, help="how long a step takes")
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="dlws-bench-"))
    try:
        with Farm(place, options.hosts, "real") as farm:
            runs = Runs(farm, options.seconds)
            kinds = {
                FULL: runs.full,
                "`resume` after the last step failed everywhere": runs.after_failure,
                "`resume` after a kill as the last step began": runs.after_kill,
            }
            samples: dict[str, list[Sample]] = {name: [] for name in kinds}
            for _ in range(options.runs):
                for name, kind in kinds.items():
                    measure.settle()
                    samples[name].append(kind())
    finally:
        shutil.rmtree(place)
    text = table(samples, options.hosts, options.seconds)
    print(text)
    if options.docs:
        measure.section("resume", text)


if __name__ == "__main__":
    main()
