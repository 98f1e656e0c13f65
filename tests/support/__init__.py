"""What tests share: machines made up and real, and the ways to watch them."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def starts(what: str) -> None:
    """Refuse to start what the fast set of tests leaves out: the test lacks the mark `what`."""
    assert os.environ.get("DLWS_TESTS") != "fast", f"this test needs @pytest.mark.{what}"
