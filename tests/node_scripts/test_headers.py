from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.bash import ALL, NODE_SCRIPTS, SCRIPTS


@pytest.mark.parametrize("path", ALL, ids=lambda path: path.name)
def test_shell_is_clean(path: Path) -> None:
    assert shutil.which("shellcheck"), "install shellcheck (apt-get install shellcheck)"
    words = ["shellcheck", "-x", "-P", str(SCRIPTS.parent), str(path)]
    done = subprocess.run(words, cwd=SCRIPTS.parent, capture_output=True, text=True, check=False)
    assert done.stdout == ""
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


@pytest.mark.parametrize("name", NODE_SCRIPTS)
def test_header_says_what_it_changes_and_names_its_files(name: str) -> None:
    path = SCRIPTS / name
    lines = path.read_text().splitlines()
    assert lines[0] == "#!/usr/bin/env bash"
    assert "set -euo pipefail" in lines
    header = "\n".join(lines[:20])
    assert re.search(r"^# .*Changes: ", header, re.MULTILINE)
    files = re.search(r"^# dlws-files: (.*)$", header, re.MULTILINE)
    named = files[1].split() if files else []
    sourced = re.findall(r'^\. "\$here/(.*)"$', path.read_text(), re.MULTILINE)
    assert set(sourced) <= set(named)
    assert all((SCRIPTS / file).exists() for file in sourced)
    assert os.access(path, os.X_OK)


def test_no_package_host_is_written_into_a_script() -> None:
    hosts = r"https?://[a-z0-9-]+\.[a-z]"
    for path in ALL:
        if path.name.startswith(("prepare", "disable", "install_nfs", "dns")) or "lib" in str(path):
            assert not re.findall(hosts, path.read_text()), path
