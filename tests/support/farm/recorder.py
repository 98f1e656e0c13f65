"""Keeps what the hosts of a farm were sent, as JSON lines."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any


class Recorder:
    """One file for the farm. A line is written before its command's exit status is sent."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", buffering=1)
        self._passwords = path.with_name("passwords.jsonl")

    def command(
        self, host: str, user: str, command: bytes, stdin: bytes, code: int | None, fault: str
    ) -> None:
        """`code` is None where the connection was gone before the command ended; `fault` is what
        struck it."""
        self._write(
            host=host,
            user=user,
            command=command.decode(errors="surrogateescape"),
            stdin=base64.b64encode(stdin).decode(),
            code=code,
            fault=fault,
        )

    def password(self, host: str, user: str, password: str) -> None:
        """A password that a host was sent, right or wrong."""
        with self._passwords.open("a") as file:
            file.write(json.dumps([host, user, password]) + "\n")

    def clear(self) -> None:
        """Forget it all."""
        self._file.truncate(0)
        self._passwords.unlink(missing_ok=True)

    def _write(self, **values: Any) -> None:
        self._file.write(json.dumps(values) + "\n")
