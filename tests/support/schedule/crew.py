"""Workers that play seeds, many at once: most of the time of a scenario is waiting."""

from __future__ import annotations

import json
import queue
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.support import forkserver


class Crew:
    """Starts its workers at once; each has a farm of its own."""

    def __init__(self, directory: Path, size: int) -> None:
        self._size = size
        self._workers = [_start(directory / f"worker{n}") for n in range(size)]
        self._idle: queue.Queue[forkserver.Piped] = queue.Queue()
        for worker in self._workers:
            self._idle.put(worker)

    def play(self, seeds: Iterable[int]) -> dict[int, str]:
        """What was found wrong, by seed."""
        with ThreadPoolExecutor(self._size) as pool:
            return {seed: said for seed, said in pool.map(self._one, seeds) if said}

    def _one(self, seed: int) -> tuple[int, str]:
        worker = self._idle.get()
        try:
            worker.stdin.write(b"%d\n" % seed)
            worker.stdin.flush()
            answer = worker.stdout.readline().decode()
        except OSError as error:
            answer = json.dumps([f"its worker has died: {error}"])
        self._idle.put(worker)
        return seed, "\n".join(json.loads(answer or '["its worker has died"]'))

    def stop(self) -> None:
        """End the workers, and their farms with them."""
        for worker in self._workers:
            worker.stdin.close()
        for worker in self._workers:
            worker.end()


def _start(directory: Path) -> forkserver.Piped:
    directory.mkdir()
    return forkserver.start("tests.support.schedule.worker", [directory], forkserver.DLWS)
