from __future__ import annotations

import os
import shutil
import sys

from tests.support import ROOT


def daemon(name: str, package: str) -> str:
    """The path of a server's program, also where only root's PATH leads."""
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin:/usr/local/sbin")
    assert found, f"install {package}: {name} is missing, and these tests run the real one"
    return found


DEPLOY = [sys.executable, str(ROOT / "deploy.py")]
