from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.deploy import Deploy
from tests.support.waiting import wait_for

PROGRAM = ROOT / "deploy.py"


def killed(deploy: Deploy, begun: Path, *words: str) -> None:
    """Start a run, and kill it as soon as a file appears."""
    line = [sys.executable, str(PROGRAM), "--dir", str(deploy.directory), *words]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_for(begun)
        process.send_signal(signal.SIGKILL)


def effects(place: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(place.glob("did-*"))}
