"""Workers that play seeds, many at once: most of the time of a scenario is waiting."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support import ROOT


class Crew:
    """Starts its workers at once; each has a farm of its own."""

    def __init__(self, directory: Path, size: int) -> None:
        self._size = size
        self._workers = [_start(directory / f"worker{n}") for n in range(size)]
        self._idle: queue.Queue[subprocess.Popen[str]] = queue.Queue()
        for worker in self._workers:
            self._idle.put(worker)

    def play(self, seeds: Iterable[int]) -> dict[int, str]:
        """What was found wrong, by seed."""
        with ThreadPoolExecutor(self._size) as pool:
            return {seed: said for seed, said in pool.map(self._one, seeds) if said}

    def _one(self, seed: int) -> tuple[int, str]:
        worker = self._idle.get()
        assert worker.stdin and worker.stdout
        try:
            worker.stdin.write(f"{seed}\n")
            worker.stdin.flush()
            answer = worker.stdout.readline()
        except OSError as error:
            answer = json.dumps([f"its worker has died: {error}"])
        self._idle.put(worker)
        return seed, "\n".join(json.loads(answer or '["its worker has died"]'))

    def stop(self) -> None:
        """End the workers, and their farms with them."""
        for worker in self._workers:
            assert worker.stdin and worker.stdout
            worker.stdin.close()
        for worker in self._workers:
            assert worker.stdout
            worker.wait(30)
            worker.stdout.close()


def _start(directory: Path) -> subprocess.Popen[str]:
    directory.mkdir()
    words = [sys.executable, "-m", "tests.support.schedule.worker", str(directory)]
    return subprocess.Popen(
        words, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
