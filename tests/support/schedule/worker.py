"""Plays the seeds that come on standard input, a line each; a line of JSON tells what was wrong.

Its only word is a directory; it is a fork of what has imported dlws (crew.py).
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
import traceback
from pathlib import Path

from tests.support.farm import Farm
from tests.support.schedule.play import Play
from tests.support.schedule.scenario import schedule


def _play(seed: int, farm: Farm, directory: Path) -> list[str]:
    place = Path(tempfile.mkdtemp(prefix=f"seed{seed}-", dir=directory))
    play = Play(schedule(seed), farm, place)
    try:
        problems = play.run()
    except Exception:
        problems = [traceback.format_exc()]
    if problems:
        for round, output in enumerate(sorted(place.glob("output*"))):
            problems.append(f"output of round {round}:\n{output.read_text(errors='replace')}")
    else:
        shutil.rmtree(place)
    return problems


def main() -> None:
    directory = Path(sys.argv[1])
    with Farm(directory / "farm", 8) as farm:
        for line in sys.stdin:
            print(json.dumps(_play(int(line), farm, directory)), flush=True)
