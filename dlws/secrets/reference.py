"""A secret of the configuration: written out, or a reference to where it lies."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

from pydantic import SecretStr

from dlws.core import person
from dlws.core.errors import DeployError, UsageError
from dlws.core.localfiles import open_regular, read, read_all
from dlws.secrets.vault import sealed

LIMIT = 64 * 1024
"""Bytes of a secret in a file."""
KINDS = ("env:", "file:", "cmd:")


class Secret(SecretStr):
    """A secret: given as it is, or as env:NAME, file:PATH or cmd:COMMAND, and then read where it
    is used. What is costly to read, a command or an encrypted file, is read there only."""

    def __init__(self, value: str, directory: Path) -> None:
        super().__init__(value)
        self.directory = directory
        self.key = "a secret"
        """Where it stands in the configuration."""
        self._read: Callable[[Path], bytes] = read
        self._tell: Callable[[list[str]], None] = lambda values: None

    def __eq__(self, other: object) -> bool:
        # By what is written: comparing and hashing must not read it.
        return isinstance(other, Secret) and self._written == other._written

    def __hash__(self) -> int:
        return hash(self._written)

    @property
    def _written(self) -> tuple[str, Path]:
        return super().get_secret_value(), self.directory

    @property
    def reference(self) -> str:
        """`env:NAME`, `file:PATH` or `cmd:COMMAND` when the secret lies elsewhere, else nothing."""
        text = self._written[0]
        return text if text.startswith(KINDS) else ""

    @property
    def path(self) -> Path | None:
        kind, _, rest = self.reference.partition(":")
        return self.directory / person.expanded(rest) if kind == "file" else None

    @property
    def deferred(self) -> bool:
        """Whether it is not read before it is needed."""
        if self.path is None:
            return self.reference.startswith("cmd:")
        return not _file_complaint(self.path) and sealed(read(self.path, LIMIT))

    @property
    def outside(self) -> bool:
        """Whether it lies in a file that is none of the cluster's directory."""
        inside = self.directory.resolve()
        return self.path is not None and not self.path.resolve().is_relative_to(inside)

    def serve(self, read: Callable[[Path], bytes], tell: Callable[[list[str]], None]) -> None:
        """Read files in this way, and tell of each value that is read late."""
        self._read, self._tell = read, tell

    def complaint(self) -> str:
        """What is wrong with the reference, if anything; commands are not run for that."""
        kind, _, rest = self.reference.partition(":")
        if self.path is not None:
            return _file_complaint(self.path)
        if kind == "cmd":
            return "" if rest.strip() else "there is no command behind cmd:"
        missing = kind == "env" and rest not in os.environ
        return f"the environment variable {rest} is not set" if missing else ""

    def get_secret_value(self) -> str:
        if complaint := self.complaint():
            raise UsageError(
                f"{self.key} cannot be read: {complaint}",
                "provide it, or correct the reference in config.yaml",
            )
        kind, _, rest = self.reference.partition(":")
        if kind == "env":
            return os.environ[rest]
        if kind == "cmd":
            value = _printed(rest, self.directory, self.key)
        elif self.path is not None:
            value = self._read(self.path).decode().removesuffix("\n")
        else:
            return self._written[0]
        self._tell([value])
        return value


def _file_complaint(path: Path) -> str:
    """What is wrong with a secret's file: looked at before it is read, and as what was opened."""
    try:
        with open_regular(path) as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            if mode & 0o077:
                return f"{path} can be read by others (mode {mode:03o}); run `chmod 600 {path}`"
            read_all(file, LIMIT).decode()
    except (OSError, ValueError) as error:
        return f"{path}: {getattr(error, 'strerror', None) or 'not a text file'}"
    return ""


_ONE_AT_A_TIME = threading.Lock()
_ANSWERS: dict[tuple[str, Path], tuple[str, str]] = {}
"""What each command printed, or why that is none: it is run once, however many nodes ask."""


def _printed(command: str, directory: Path, key: str) -> str:
    """What a command prints; its output is in no error, for it may be the secret."""
    with _ONE_AT_A_TIME:
        if (command, directory) not in _ANSWERS:
            _ANSWERS[command, directory] = _answer(command, directory)
        value, complaint = _ANSWERS[command, directory]
    if complaint:
        raise DeployError(
            f"{key} cannot be read: its command {complaint}",
            f"run the command that stands at {key} in config.yaml by hand, and correct it",
        )
    return value


def _answer(command: str, directory: Path) -> tuple[str, str]:
    from dlws.core.connection import Local
    from dlws.shell.quoting import script

    shell = os.environ.get("SHELL") or "/bin/sh"
    result = Local().run(script('cd "$1" && exec "$2" -c "$3"', directory, shell, command))
    if not result.ok:
        return "", f"ended with exit status {result.code}"
    try:
        value = result.out.decode().removesuffix("\n")
    except UnicodeDecodeError:
        return "", "printed something that is no text"
    return value, "" if value else "printed nothing"
