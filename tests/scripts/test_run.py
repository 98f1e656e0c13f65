from __future__ import annotations

from pathlib import Path

import pytest

from dlws.core.connection import Local
from dlws.scripts import run as scripts
from dlws.shell import files
from dlws.shell.quoting import sh
from tests.support.private import with_state
from tests.support.waiting import wait_for


@pytest.mark.parametrize("line", [f"{files.RUN} sh -c", f"{scripts._START} s sh -c"])
def test_a_script_has_the_umask_of_a_login(tmp_path: Path, line: str) -> None:
    """What it writes is for those to read who could read it if a person had run it."""
    out = tmp_path / "out"
    command = f"umask 002; HOME={sh(tmp_path)}; export HOME; {line}"
    command += f" {sh(f'umask >{sh(out)}.new; mv {sh(out)}.new {sh(out)}')}"
    words, _ = with_state(tmp_path / "state", "sh", "-c", command)
    assert Local().run(sh(*words), bytes(1024)).ok
    wait_for(out)
    assert out.read_text() == "0002\n"
