"""Where a person is signed in: a file for that person alone, in the directory of settings."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from dlws.core import localfiles, person
from dlws.core.errors import DeployError, UsageError
from dlws.core.program import PROGRAM


@dataclass(frozen=True)
class Account:
    address: str
    user: str
    token: str = field(repr=False)
    ca_file: str = ""


def place() -> Path:
    """dlws/login.json in XDG_CONFIG_HOME, which is ~/.config where it is not set."""
    given = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(given) if os.path.isabs(given) else person.home() / ".config") / "dlws/login.json"


def keep(account: Account) -> Path:
    path = place()
    localfiles.write(path, json.dumps(asdict(account), indent=2).encode())
    return path


def read() -> Account:
    """UsageError where nobody signed in; DeployError where others can read the token."""
    path, cure = place(), f"sign in: {PROGRAM} login ADDRESS"
    try:
        mode, content = path.stat().st_mode, localfiles.read(path)
        found = Account(**json.loads(content))
    except FileNotFoundError:
        raise UsageError("you are not signed in", cure) from None
    except (TypeError, ValueError) as error:
        raise UsageError(f"{path} is not what `login` writes", cure) from error
    if mode & 0o077:
        raise DeployError(
            f"others can read {path}, which has your token",
            f"run: chmod 600 {path}; if they may have read it, run: {PROGRAM} logout",
        )
    return found


def forget() -> None:
    place().unlink(missing_ok=True)
