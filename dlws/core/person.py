"""The person who runs this: name and home, also under a uid that passwd has no line for."""

from __future__ import annotations

import os
from pathlib import Path

from dlws.core.errors import UsageError


def name(uid: int | None = None) -> str:
    """The login name, or a user's; in a container there may be none, and the uid has to do."""
    import getpass
    import pwd

    try:
        return getpass.getuser() if uid is None else pwd.getpwuid(uid).pw_name
    except (KeyError, OSError):
        return f"uid-{os.getuid() if uid is None else uid}"


def known_home() -> Path | None:
    """The home directory, where there is one."""
    try:
        return Path.home()
    except (KeyError, RuntimeError):
        return None


def home() -> Path:
    """The home directory; UsageError where there is none."""
    return expanded("~")


def expanded(path: str) -> Path:
    """A path in which ~ is a home directory."""
    try:
        return Path(path).expanduser()
    except (KeyError, RuntimeError) as error:
        raise UsageError(
            f"{path}: user {name()} has no home directory, as there is no line for it in "
            "/etc/passwd",
            "set HOME to a directory of your own, or write the whole path",
        ) from error
