from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import ROOT
from tests.support.sshd import Server


@dataclass(frozen=True)
class Deploy:
    """Runs deploy.py as a person does, in a cluster's directory of its own."""

    directory: Path

    def __call__(
        self,
        *words: str,
        code: int | None = 0,
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        program = ROOT / "deploy.py"
        done = subprocess.run(
            [sys.executable, program, "--dir", self.directory, *words],
            input=stdin,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            errors="backslashreplace",
            timeout=600,  # a machine may be busy with other tests
            check=False,
        )
        told = f"{done.stdout}\n{done.stderr}"
        assert code is None or done.returncode == code, f"exit {done.returncode}: {told}"
        assert "Traceback" not in told and "defect of dlws" not in told, told
        return done


def deploying(sshd: Server, tmp_path: Path) -> Deploy:
    """A cluster of four machines that are an OpenSSH server."""
    machines = {"infra1": "infrastructure", "w1": "worker", "w2": "worker", "w3": "worker"}
    rows = "".join(
        f"  {name}: {{role: {role}, private-ip: 127.0.0.{n}, type: cpu}}\n"
        for n, (name, role) in enumerate(machines.items(), 1)
    )
    (tmp_path / "config.yaml").write_text(
        f"cluster_name: test\nadmin_username: root\nnetwork: {{domain: test.example}}\n"
        f"ssh: {{port: {sshd.port}, key: {sshd.key}, connect_timeout: 2}}\nmachines:\n{rows}"
    )
    return Deploy(tmp_path)
