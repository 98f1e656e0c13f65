"""A cluster's directory whose machines are on a local Azure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from dlws.cli.az import az
from tests.support.arm.arm import Arm
from tests.support.arm.server import Local


@dataclass
class Site:
    """Runs az_tools.py in a cluster's directory."""

    directory: Path
    local: Local

    @property
    def arm(self) -> Arm:
        return self.local.arm

    def configure(self, text: str) -> None:
        cloud = self.local.cloud
        own = text.replace("azure_cluster: {", f"azure_cluster: {{{cloud}, ")
        own = own.replace("azure_cluster:\n", f"azure_cluster:\n  {cloud}\n")
        (self.directory / "config.yaml").write_text(own)

    def change(self, old: str, new: str) -> None:
        path = self.directory / "config.yaml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def __call__(self, *words: str, code: int = 0, typed: str = "") -> Result:
        done = CliRunner().invoke(az, ["--dir", str(self.directory), *words], input=typed)
        assert done.exit_code == code, f"{done.exit_code}: {done.output}\n{done.exception!r}"
        return done

    def records(self) -> str:
        """Everything that was written down under deploy/runs."""
        places = sorted((self.directory / "deploy/runs").rglob("*"))
        return "".join(path.read_text() for path in places if path.is_file())

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--output", "json").stdout)
