"""./step_by_step.sh azure makes the machines first, where they are to be made."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support import ROOT

STUB = '#!/bin/sh\necho "$(basename "$0") $*" >>"$(dirname "$0")/said"\n'


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The script beside programs that only note how they were called."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "step_by_step.sh", tmp_path)
    for name in ("deploy.py", "az_tools.py", "scripts/install_prerequisites.sh"):
        (tmp_path / name).write_text(STUB)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "c").mkdir()
    (tmp_path / "c/config.yaml").write_text("cluster_name: a\nazure_cluster:\n  auth: cli\n")
    return tmp_path


def said(copy: Path, *words: str) -> list[str]:
    subprocess.run([copy / "step_by_step.sh", *words], cwd=copy / "c", check=True)
    return (copy / "said").read_text().splitlines()


def test_machines_come_first(copy: Path) -> None:
    place = str(copy / "c")
    assert said(copy, "azure", "-y", "--dir", place) == [
        f"deploy.py --dir {place} -y build",
        f"az_tools.py --dir {place} create",
        f"az_tools.py --dir {place} genconfig",
        f"deploy.py --dir {place} --public up azure -y",
    ]


@pytest.mark.parametrize("words", [["--from", "init"], ["--only=dns"]])
def test_part_of_it_makes_none(copy: Path, words: list[str]) -> None:
    assert said(copy, "azure", *words) == [f"deploy.py --public up azure {' '.join(words)}"]


def test_machines_of_ones_own_are_left_alone(copy: Path) -> None:
    (copy / "c/config.yaml").write_text("cluster_name: a\nsupported_platform: [azure_cluster]\n")
    assert said(copy, "azure") == ["deploy.py up azure"]
    (copy / "c/config.yaml").write_text("azure_cluster: {}\n")
    (copy / "said").unlink()
    assert said(copy, "onpremise") == ["deploy.py up onpremise"]
