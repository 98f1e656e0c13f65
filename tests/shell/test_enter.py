"""Going to a directory as root."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from dlws.shell.enter import ENTER


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_what_another_makes_at_the_same_moment_is_taken(tmp_path: Path, shell: str) -> None:
    """Nodes that share a file system ended with "File exists"."""
    other = 'mkdir() { for made; do :; done; command mkdir "$made"; command mkdir "$@"; }'
    line = f'set -eu\n{ENTER}\n{other}\nenter "$1" make\npwd'
    words = [shell, "-c", line, shell, f"{tmp_path}/a/b c"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path}/a/b c\n", "")
