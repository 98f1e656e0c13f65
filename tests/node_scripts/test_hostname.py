"""The name that a node calls itself by, given to it by a script."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.bash import SCRIPTS, Done

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="needs root")
HOSTNAME = '#!/bin/sh\necho "$1" >"$DLWS_ROOT/proc/sys/kernel/hostname"\n'


def run(root: Path, **more: str) -> Done:
    """The script on another machine, whose kernel is told names by a stand-in for `hostname`."""
    program = root / "usr/bin/hostname"
    program.write_text(HOSTNAME)
    program.chmod(0o755)
    facts = {"DLWS_ROOT": str(root), "DLWS_NODE": "gpu01", "DLWS_FQDN": "gpu01.example.org",
             "PATH": f"{program.parent}:{os.environ['PATH']}"}  # fmt: skip
    return subprocess.run(
        ["bash", str(SCRIPTS / "hostname.sh")], env={**os.environ, **facts, **more},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def calls_itself(root: Path, name: str) -> tuple[Path, Path]:
    """The machine's running name, and the one it gets at its next boot."""
    running, kept = root / "proc/sys/kernel/hostname", root / "etc/hostname"
    running.parent.mkdir(parents=True, exist_ok=True)
    for path in (running, kept):
        path.write_text(f"{name}\n")
    return running, kept


def test_a_node_gets_the_name_of_config_yaml_once(root: Path) -> None:
    places = calls_itself(root, "ubuntu")
    assert run(root, DLWS_CHECK="1").stdout.count("differs: ") == 2
    assert [path.read_text() for path in places] == ["ubuntu\n"] * 2
    assert run(root).stdout.count("changed: ") == 2
    assert [path.read_text() for path in places] == ["gpu01\n"] * 2
    assert run(root).stdout == "nothing to do\n"


@pytest.mark.parametrize("name", ["GPU01", "gpu01.example.org"])
def test_one_that_has_it_with_its_domain_keeps_that(root: Path, name: str) -> None:
    places = calls_itself(root, name)
    assert run(root).stdout == "nothing to do\n"
    assert {path.read_text() for path in places} == {f"{name}\n"}


def test_a_member_of_kubernetes_keeps_its_name(root: Path) -> None:
    places = calls_itself(root, "old")
    (root / "etc/kubernetes").mkdir()
    (root / "etc/kubernetes/kubelet.conf").touch()
    done = run(root)
    assert done.returncode == 1 and "it is a member of Kubernetes as old" in done.stderr
    assert "kubeadm reset gpu01" in done.stderr
    assert {path.read_text() for path in places} == {"old\n"}
