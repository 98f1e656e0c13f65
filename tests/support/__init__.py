"""What tests share: machines made up and real, and the ways to watch them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


LEFT_OUT = {"sandbox", "cluster", "docker", "sshd", "farm", "mariadb", "story"}
"""The marks of tests that `tests/run.sh --fast` leaves out."""
marks: set[str] = set()
"""Those of the test that runs; none outside of tests."""


def starts(what: str) -> None:
    """Refuse to start for a test what the fast set leaves out: it lacks the mark `what`."""
    assert not marks or marks & LEFT_OUT, f"this test needs @pytest.mark.{what}"
