"""What a job is to be, from a file and from options."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlws.core import localfiles
from dlws.core.errors import UsageError

_EXAMPLE = "write lines such as  image: registry:5000/team/torch:1  and  command: python train.py"
_UNITS = {"m": 1, "mi": 1, "g": 1024, "gi": 1024, "t": 1024**2, "ti": 1024**2}


def read(path: Path) -> dict[str, Any]:
    """The fields in a file of YAML or JSON."""
    import yaml

    try:
        found = yaml.safe_load(localfiles.read(path))
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise UsageError(
            f"{path}{f':{mark.line + 1}' if mark else ''}: this is no YAML", _EXAMPLE
        ) from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise UsageError(f"{path} does not say what a job is to be", _EXAMPLE)
    return found


def command_line(words: Sequence[str]) -> str:
    """One word is a line for the job's shell as it stands; several are a program and arguments."""
    return words[0] if len(words) == 1 else shlex.join(words)


def request(
    fields: Mapping[str, Any], words: Sequence[str], given: Mapping[str, Any], env: Sequence[str]
) -> dict[str, Any]:
    """What a file says, and in its place what options say."""
    found = {**fields, **{key: value for key, value in given.items() if value is not None}}
    if words:
        found["command"] = command_line(words)
    if env:
        found["env"] = {**(found.get("env") or {}), **dict(map(_variable, env))}
    missing = [name for name in ("vc", "image", "command") if not found.get(name)]
    if missing:
        raise UsageError(
            f"the job has no {' and no '.join(missing)}",
            "give a FILE with them, or --vc VC --image IMAGE -- COMMAND",
        )
    first = str(found["command"]).strip().split("\n")[0]
    return {"name": first[:60] or "job", **found}


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise UsageError(f"--env {text!r} is no NAME=VALUE", "write it as --env EPOCHS=10")
    return name, value


def cpu_millis(text: str | None) -> int | None:
    """Thousandths of a processor from 2, 0.5 or 500m."""
    if text is None:
        return None
    try:
        return int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)
    except (ValueError, OverflowError):
        raise UsageError(f"--cpu {text!r} is no number", "write 2, 0.5 or 500m") from None


def memory_mib(text: str | None) -> int | None:
    """MiB from 512Mi, 4Gi or 4G."""
    if text is None:
        return None
    number = text.rstrip("MGTimgt")
    unit = _UNITS.get(text[len(number) :].lower())
    if unit is None or not number.isdecimal():
        raise UsageError(f"--memory {text!r} is no amount", "write 512Mi, 4Gi or 1Ti")
    return int(number) * unit
