"""Between the form for a job and a request to the API. Pure; the API checks what is given."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from jobplatform.portal.backend import Refusal

Kind = Literal["regular", "distributed", "inference"]
KINDS: Final[Mapping[str, Mapping[str, str]]] = {
    "regular": {},
    "distributed": {"workers": "2"},
    "inference": {"port": "8080"},
}
"""The templates: what is filled in at first, beside what is the same for all."""
_USUAL = {"name": "", "vc": "", "image": "", "command": "", "workers": "1", "device": "",
          "devices": "0", "cpu": "1", "memory_mib": "1024", "env": "", "launch": "all", "port": "",
          "priority": "100", "preemptible": "", "max_seconds": "", "retries": "3"}  # fmt: skip
_AS_GIVEN = ("name", "vc", "image", "kind", "workers", "device", "devices", "memory_mib", "launch",
             "port", "priority", "max_seconds", "retries")  # fmt: skip


def blank(kind: str) -> dict[str, str]:
    return {**_USUAL, **KINDS[kind], "kind": kind}


def filled(asked: Mapping[str, Any]) -> dict[str, str]:
    """The form with what a job was asked to be."""
    found = {name: "" if asked[name] is None else str(asked[name]) for name in _AS_GIVEN}
    return {**found, "command": asked["command"], "env": lines(asked["env"]),
            "cpu": f"{Decimal(asked['cpu_millis']) / 1000:f}",
            "preemptible": "true" if asked["preemptible"] else ""}  # fmt: skip


def request(given: Mapping[str, str]) -> dict[str, Any]:
    """What the API is asked for; what is empty is left to it. A browser ends lines with two
    characters, a shell with one."""
    found: dict[str, Any] = {name: given[name] for name in _AS_GIVEN if given.get(name)}
    found["command"] = _unix(given.get("command", ""))
    found["env"] = variables(_unix(given.get("env", "")))
    found["preemptible"] = given.get("preemptible") == "true"
    if given.get("cpu"):
        found["cpu_millis"] = millis(given["cpu"])
    return found


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n")


def millis(text: str) -> int:
    """Thousandths of a processor from 2 or 0.5."""
    if not re.fullmatch(r"[0-9]{1,7}(?:\.[0-9]{1,3})?", text):
        raise Refusal(422, "cpu: this is no number, such as 2 or 0.5")
    return int(Decimal(text) * 1000)


def lines(env: Mapping[str, str]) -> str:
    """A variable a line; a value that is more than a plain line stands there as JSON has it."""
    return "\n".join(f"{name}={_value(value)}" for name, value in env.items())


def _value(text: str) -> str:
    plain = text == text.strip() and text.isprintable() and not text.startswith('"')
    return text if plain else json.dumps(text)


def variables(text: str) -> dict[str, str]:
    found = {}
    for line in filter(str.strip, text.split("\n")):
        name, equals, value = line.strip().partition("=")
        if not equals:
            raise Refusal(422, "env: write a variable a line, as NAME=VALUE")
        found[name.strip()] = _text(value)
    return found


def _text(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        return str(json.loads(value))
    except ValueError:
        raise Refusal(422, "env: a value that begins with a quote is a text as in JSON") from None
