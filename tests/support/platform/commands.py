"""A person who types commands of the job platform's."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from click.testing import CliRunner, Result
from sqlalchemy import Engine

from dlws.cli.root import cli
from tests.support.platform.kubernetes import FakeKubernetes


@dataclass
class Person:
    """Types commands, in a directory and with settings of the person's own."""

    address: str
    engine: Engine
    tokens: dict[str, str]
    kubernetes: FakeKubernetes
    place: Path

    def __call__(self, *words: str, code: int = 0, stdin: str = "") -> Result:
        typed = ["--dir", str(self.place), *words]
        found = CliRunner().invoke(cli, typed, input=stdin, catch_exceptions=False)
        assert found.exit_code == code, found.output
        return found

    def signs_in(self, who: str = "ann") -> None:
        self("login", self.address, "--token", stdin=f"{self.tokens[who]}\n")
