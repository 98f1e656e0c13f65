"""A shell on a machine, from a real SSH server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support import ROOT
from tests.support.sshd import Server


def ssh(place: Path, *words: str, typed: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, str(ROOT / "az_tools.py"), "--dir", str(place), *words]
    return subprocess.run(line, input=typed, capture_output=True, text=True, timeout=120,
                          check=False)  # fmt: skip


def configure(place: Path, sshd: Server) -> None:
    (place / "config.yaml").write_text(
        "cluster_name: atlas\nadmin_username: root\n"
        f"ssh: {{port: {sshd.port}, key: {sshd.key}, connect_timeout: 2}}\n"
    )
    # Nobody answers at 192.0.2.1 (RFC 5737): only the public address leads there.
    (place / "cluster.yaml").write_text(
        "machines:\n"
        "  infra1: {role: infrastructure, private-ip: 192.0.2.1, public-ip: 127.0.0.1}\n"
        "  w1: {role: worker, type: cpu, private-ip: 192.0.2.2, public-ip: 127.0.0.2}\n"
    )


def test_a_shell_at_the_public_address_and_its_exit_status(sshd: Server, tmp_path: Path) -> None:
    configure(tmp_path, sshd)
    done = ssh(tmp_path, "ssh", "w1", typed="echo at $SSH_CONNECTION\nexit 7\n")
    assert done.returncode == 7, done.stderr
    assert f"127.0.0.2 {sshd.port}" in done.stdout


def test_a_machine_that_is_not_there(sshd: Server, tmp_path: Path) -> None:
    configure(tmp_path, sshd)
    done = ssh(tmp_path, "ssh", "w9", typed="")
    assert done.returncode == 2 and "w9" in done.stderr and "Traceback" not in done.stderr
