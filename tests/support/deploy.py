from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support import forkserver
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
        line = ["--dir", str(self.directory), *words]
        given = {**os.environ, **(environment or {})}
        # A machine may be busy with other tests.
        done = forkserver.run(line, stdin, given, seconds=600)
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
