"""A cluster whose nodes answer from a table, and remember what they were asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from dlws.config import Config, load
from dlws.core.connection import KEEP, Echo, Result, Stdin, pieces
from dlws.core.limits import Bounds
from dlws.nodes.cluster import Cluster
from tests.support.commands import runs

Answer = Callable[[str, bytes], Result | None]


CONFIG = """
cluster_name: atlas
network: {domain: example.org}
admin_username: dlwsadmin
kubernetes: {version: 1.20.2, network: bridge}
machines:
  infra01: {role: infrastructure, private-ip: 10.1.0.1}
  worker01: {role: worker, private-ip: 10.1.0.11, type: gpu, vendor: nvidia}
  worker02: {role: worker, private-ip: 10.1.0.12, archtype: arm64, type: npu, vendor: huawei}
"""

THREE = CONFIG.replace(
    "  worker01:",
    "  infra02: {role: infrastructure, private-ip: 10.1.0.2}\n"
    "  infra03: {role: infrastructure, private-ip: 10.1.0.3}\n  worker01:",
)


@dataclass
class Fake:
    """A connection that answers by the first rule that knows an answer, else with success.

    Like a real one it passes output on before it gives the result.
    """

    name: str = ""
    rules: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    bounds: list[Bounds | None] = field(default_factory=list)

    def run(
        self,
        command: str,
        stdin: Stdin = b"",
        echo: Echo | None = None,
        keep: int = KEEP,
        bounds: Bounds | None = None,
    ) -> Result:
        given = b"".join(pieces(stdin))
        self.asked.append((command, given))
        self.bounds.append(bounds)
        for rule in self.rules:
            if (answer := rule(command, given)) is not None:
                if echo and answer.out:
                    echo("out", answer.out)
                return answer
        return Result(0)

    def close(self) -> None:
        """Nothing is held open."""


@dataclass
class World:
    """A cluster of fakes, and what each was asked."""

    cluster: Cluster
    fakes: dict[str, Fake]

    def commands(self, name: str) -> list[str]:
        return [command for command, _ in self.fakes[name].asked]

    def stdin_of(self, name: str, words: str) -> bytes:
        """Standard input of the one command on a node that runs a script, or has these words."""
        found = [stdin for command, stdin in self.fakes[name].asked if runs(command, words)]
        assert len(found) == 1, f"{len(found)} commands on {name} with {words!r}"
        return found[0]

    def ran(self, name: str, words: str) -> bool:
        return any(runs(command, words) for command in self.commands(name))


def config_of(directory: Path, text: str = CONFIG) -> Config:
    (directory / "config.yaml").write_text(text)
    return load(directory)


Make = Callable[..., World]
