from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dlws.core.connection import Local
from dlws.scripts import run as scripts
from dlws.scripts.script import Script
from dlws.shell import files
from dlws.shell.quoting import sh
from tests.support.fakes import World
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


def test_a_script_in_the_background_has_a_place_where_status_finds_it(
    make: Callable[..., World], tmp_path: Path
) -> None:
    world = make()
    (tmp_path / "g++ my|.sh").write_text("#!/bin/sh\n")
    scripts.start(world.cluster.first, world.cluster.config, Script(tmp_path / "g++ my|.sh"))
    (command,) = [line for line in world.commands("infra01") if "setsid" in line]
    assert " g___my_.sh env DLWS_" in command and "g++ my|.sh" in command
