"""A farm as seen by those who use it: starts it in a process of its own and stops it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support import forkserver, starts
from tests.support.farm.faults import Wrong
from tests.support.private import possible, with_state

_PROGRAM = "tests.support.farm.__main__"


@dataclass(frozen=True)
class Host:
    """`host_key` is what the host ought to show: its type and base64, as in known_hosts."""

    name: str
    address: str
    port: int
    host_key: str

    @property
    def known_hosts(self) -> str:
        return f"[{self.address}]:{self.port} {self.host_key}\n"


@dataclass(frozen=True)
class Received:
    """A command that a host was sent. `code` is None where the connection went before its end;
    `fault` is the one that struck it."""

    host: str
    user: str
    command: str
    stdin: bytes
    code: int | None
    fault: str


class Farm:
    """Hosts are numbered from 1; `faults` says by number which misbehaves and how (faults.py).

    `state` is the /var/lib/dlws of them all, as seen from here.
    """

    def __init__(
        self,
        directory: Path,
        hosts: int = 10,
        mode: str = "real",
        faults: Mapping[int, str] | None = None,
        answers: Path | None = None,
    ) -> None:
        starts("farm")
        self.directory = directory
        words = ["--hosts", hosts, "--mode", mode, "--directory", directory.resolve()]
        for number, fault in (faults or {}).items():
            words += ["--fault", f"{number}={fault}"]
        if answers:
            words += ["--answers", answers.resolve()]
        directory.mkdir(parents=True, exist_ok=True)
        _, self.state = with_state(directory / "state")
        own = self.state if possible() else None
        self._program = forkserver.start(_PROGRAM, words, state=own)
        if self._program.stdout.readline() != b"ready\n":
            self.stop()
            raise RuntimeError(f"the farm did not start: {words}")
        about = json.loads((directory / "farm.json").read_text())
        self.hosts = [Host(**host) for host in about["hosts"]]
        self.key = Path(about["key"])
        self.password: str = about["password"]

    def __enter__(self) -> Farm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def known_hosts(self) -> str:
        return "".join(host.known_hosts for host in self.hosts)

    def home(self, host: str) -> Path:
        """Where a host's commands run in real mode: its home directory."""
        return self.directory / host

    def received(self, host: str = "") -> list[Received]:
        """What a host was sent, or all of them, in the order in which the commands ended."""
        lines = map(json.loads, (self.directory / "received.jsonl").read_text().splitlines())
        return [
            Received(**{**line, "stdin": base64.b64decode(line["stdin"])})
            for line in lines
            if host in {"", line["host"]}
        ]

    def passwords(self, host: str = "") -> list[tuple[str, str, str]]:
        """What passwords a host was sent, or all of them: (host, user, password)."""
        path = self.directory / "passwords.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(at, user, word) for at, user, word in map(json.loads, lines) if host in {"", at}]

    def become(self, faults: Mapping[int, Wrong], fresh: bool = False) -> None:
        """Have these faults and no others; `fresh`: with machines that were never used, too."""
        rows = {n: {**asdict(wrong), "fault": wrong.fault.value} for n, wrong in faults.items()}
        self._tell(do="become", faults=rows, fresh=fresh)

    def settle(self) -> dict[str, dict[str, int]]:
        """Wait for what still runs on hosts; then what each has seen: connections, logins, and
        commands that are still running."""
        seen: dict[str, dict[str, int]] = self._tell(do="settle")
        return seen

    def _tell(self, **order: Any) -> Any:
        self._program.stdin.write(json.dumps(order).encode() + b"\n")
        self._program.stdin.flush()
        return json.loads(self._program.stdout.readline())

    def stop(self) -> None:
        """Ends the farm; once it returns, nothing of it runs."""
        self._program.end()
