"""What faulty nodes cost the healthy ones: python -m benchmarks.faults."""

from __future__ import annotations

import argparse
import re
import shutil
import tempfile
from pathlib import Path

from benchmarks import measure
from benchmarks.measure import PYTHON, Sample
from tests.support.farm import Farm, cluster
from tests.support.farm.hosts import name

HOSTS = 20
TIMEOUT = 3
FAULTS = {3: "dead", 7: "dead", 11: "banner", 15: "host-key", 19: "sudo"}
SETTINGS = f"""  connect_timeout: {TIMEOUT}
  banner_timeout: {TIMEOUT}
  auth_timeout: {TIMEOUT}
  retries: 0
"""


def execonall(place: Path, out: Path) -> Sample:
    command = [PYTHON, "deploy.py", "--dir", str(place), "execonall", "sudo", "-n", "uptime"]
    return measure.run(command, out)


def explained(out: str, number: int) -> str:
    """What the summary says of a node, alone or folded with others, without the cure."""
    summary = out.partition("error: failed on")[2].splitlines()
    folded = re.compile(rf"\b{name(number)}\b|node\[[0-9,-]*\b{number:03}\b")
    for line, after in zip(summary, [*summary[1:], ""], strict=True):
        if folded.search(line) and "cure:" not in line:
            return line.strip() + ("" if "cure:" in after else f": {after.strip()}")
    return "NOT NAMED"


def report(healthy: Sample, mixed: Sample, answered: int) -> str:
    limit = 1.2 * healthy.wall + TIMEOUT
    met = mixed.wall <= limit and mixed.code == 3 and answered == HOSTS - len(FAULTS)
    lines = [
        f"{HOSTS} nodes, `execonall sudo -n uptime`, timeouts of {TIMEOUT} s, no retries.",
        "",
        "| | seconds | exit status | answers |",
        "| --- | --- | --- | --- |",
        f"| all healthy | {healthy.wall:.2f} | {healthy.code} | {HOSTS} |",
        f"| 5 faulty | {mixed.wall:.2f} | {mixed.code} | {answered} |",
        "",
        f"Target: status 3, {HOSTS - len(FAULTS)} answers, within 1.2 times {healthy.wall:.2f} "
        f"+ {TIMEOUT} = {limit:.2f} s: {'met' if met else 'MISSED'}. "
        "What was said of each faulty node:",
        "",
        "```",
        *(f"{fault:9} {explained(mixed.out, number)}" for number, fault in FAULTS.items()),
        "```",
        "",
        f"On {measure.machine()}.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.faults", description=__doc__)
    parser.add_argument("--docs", action="store_true", help="write docs/benchmarks.md")
    options = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="dlws-bench-"))
    try:
        samples: list[Sample] = []
        for label, faults in {"healthy": {}, "mixed": FAULTS}.items():
            with Farm(place / label, HOSTS, "fake", faults) as farm:
                ours = cluster.directory(farm, settings=SETTINGS)
                samples.append(execonall(ours, place / f"{label}.out"))
                answered = sum(received.code == 0 for received in farm.received())
    finally:
        shutil.rmtree(place)
    text = report(samples[0], samples[1], answered)
    print(samples[-1].out, text, sep="\n")
    if options.docs:
        measure.section("faults", text)


if __name__ == "__main__":
    main()
