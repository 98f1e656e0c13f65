from __future__ import annotations

import sys

from tests.support import ROOT

DEPLOY = [sys.executable, str(ROOT / "deploy.py")]
