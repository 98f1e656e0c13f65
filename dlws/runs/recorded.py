"""Command lines that an earlier run wrote down: they are run again where they were, if ours."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dlws.core.errors import Refused
from dlws.shell.quoting import sh

if TYPE_CHECKING:
    from dlws.runs.options import Options

_ANEW = "run the command itself anew, if it is what you want"


def check_ours(*paths: Path) -> None:
    """Raise Refused where another user wrote these files or directories, or can write them."""
    for path in paths:
        about = path.lstat()
        if about.st_uid not in (os.geteuid(), 0):
            raise Refused(f"{path} is another user's: its commands are not run", _ANEW)
        if about.st_mode & 0o022:
            cure = f"{_ANEW}; or, where nobody else has written it: chmod go-w {sh(path)}"
            raise Refused(f"{path} can be written by others: its commands are not run", cure)


@dataclass(frozen=True)
class Recorded:
    """A recorded command line: what it is of, where it was started, and its --dir."""

    what: str
    cwd: str
    given: str
    cure: str = _ANEW
    """What to do where it is of another directory."""

    def check_place(self, options: Options) -> None:
        """Raise Refused where it is not of this cluster's directory, or was started elsewhere.

        Started elsewhere, it counts only where the person is now: its relative paths are of there.
        """
        started = Path(self.cwd).resolve()
        if (place := (started / self.given).resolve()) != options.directory:
            words = f"{self.what} is of the directory {place}, not of {options.directory}"
            raise Refused(words, self.cure)
        if not started.is_relative_to(options.directory) and started != options.home.resolve():
            raise Refused(
                f"{self.what} was started in {started}, outside the cluster's directory",
                f"if it was you: cd {sh(started)}, and give --dir {sh(options.directory)} there",
            )
