from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.guards import home_without_ssh, with_us
from tests.support.waiting import wait_until

STARTS = f"""
import os, signal, subprocess
line = {with_us(["sh", "-c", "echo ready; exec sleep 600"])!r}
process = subprocess.Popen(line, stdout=subprocess.PIPE)
process.stdout.readline()
print(process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_test_run_started_ends_with_it() -> None:
    """Engines, registries and databases stayed behind."""
    words = [sys.executable, "-c", STARTS]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    wait_until(lambda: _ended(int(done.stdout)))


def _ended(pid: int) -> bool:
    try:
        return " Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_the_developers_own_ssh_config_is_none_of_the_tests(tmp_path: Path) -> None:
    home, place = tmp_path / "home", tmp_path / "place"
    (home / ".ssh").mkdir(parents=True)
    (home / ".cache").mkdir()
    place.mkdir()
    assert home_without_ssh(home, place) == home
    (home / ".ssh/config").write_text("Host *\n  User eve\n")
    assert home_without_ssh(home, place) == place
    assert [path.name for path in place.iterdir()] == [".cache"]
