from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.farm import Farm
from tests.support.farm.cluster import directory
from tests.support.waiting import wait_until

# The program as it is, but for a heart that beats faster than a test has patience.
QUICK = """import sys
from dlws.nodes import nodelock
from dlws.cli import main
nodelock.BEAT = 0.2
sys.argv[0] = "deploy.py"
main()"""

SETTINGS = "  connect_timeout: 1.5\n  keepalive: 0.5\n"


@contextmanager
def running(place: Path, *words: str) -> Iterator[subprocess.Popen[str]]:
    """A run in the background, that must end within the block."""
    line = [sys.executable, "-c", QUICK, "--dir", str(place), *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipe = subprocess.PIPE
    process = subprocess.Popen(line, stdout=pipe, stderr=pipe, text=True, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Boxes:
    """Several devboxes' directories of one cluster on a farm, and a script that waits there."""

    def __init__(self, farm: Farm, number: int = 2) -> None:
        self.farm, self.lock = farm, farm.state / "lock"
        first = directory(farm, settings=SETTINGS)
        self.places = [first, *(farm.directory / f"copy{n}" for n in range(1, number))]
        for place in self.places[1:]:
            shutil.copytree(first, place)
        self.script = farm.directory / "wait.sh"
        # The end without a gate is for the test that failed: nothing may be left running.
        self.script.write_text(
            f'echo x >>{farm.directory}/did-"$DLWS_NODE"\nfor i in $(seq 1200); do\n'
            f"  [ ! -e {farm.directory}/gate ] || exit 0; sleep 0.05\ndone; exit 1\n"
        )

    def __getitem__(self, number: int) -> Deploy:
        return Deploy(self.places[number])

    def did(self) -> dict[str, str]:
        return {path.name: path.read_text() for path in self.farm.directory.glob("did-*")}

    def open(self) -> None:
        (self.farm.directory / "gate").touch()

    def await_begin(self, node: str = "node001") -> None:
        wait_until((self.farm.directory / f"did-{node}").exists)

    def kill_one(self) -> None:
        """Leave the lock of a run that was killed."""
        with running(self.places[0], "--nodes", "node001", "runscriptonall", str(self.script)) as p:
            self.await_begin()
            p.send_signal(signal.SIGKILL)
            p.wait()
        assert self.lock.exists()
