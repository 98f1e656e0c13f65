"""The configuration's JSON Schema, with which editors complete and check keys."""

from __future__ import annotations

from typing import Any

from dlws.config.model.config import Config
from dlws.config.model.roles import NODE_ROLES, ROLE_WORDS
from dlws.config.reading.spelling import MISSPELLED, MOVED, OLD
from dlws.core import resources

_MACHINE_KEYS = ("name", "fqdn", "scale_up")


def schema() -> dict[str, Any]:
    """Draft 2020-12, of what people write: flat keys of older configurations included."""
    made = Config.model_json_schema(by_alias=True)
    root: dict[str, Any] = made["properties"]
    root.pop("other")
    machine = made["$defs"]["Machine"]
    for key in _MACHINE_KEYS:
        machine["properties"].pop(key)
    machine["required"] = ["role"]
    for name, part in made["$defs"].items():
        part["additionalProperties"] = name == "Machine"
    machine["properties"]["role"] |= _role()
    root["scale_up"] = {
        **root["machines"],
        "description": "Machines to add; nodes like the others.",
    }
    root |= _other_spellings()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **made,
        "title": "config.yaml of dlws",
        "description": "One cluster: its machines, and how it is set up.",
        "additionalProperties": False,
    }


def _other_spellings() -> dict[str, Any]:
    """Keys that are read beside those of the model."""
    moved = {key: f"Another spelling of {'.'.join(target)}." for key, target in MOVED.items()}
    old = {key: f"Of older configurations ({group}); not used." for key, group in OLD.items()}
    wrong = {key: f"A misspelling of {right}." for key, right in MISSPELLED.items()}
    return {
        **{key: {"description": text} for key, text in (moved | old).items()},
        **{key: {"description": text, "deprecated": True} for key, text in wrong.items()},
    }


def _role() -> dict[str, Any]:
    ours = resources.folders(NODE_ROLES, resources.root())
    one = {"type": "string", "enum": [*ROLE_WORDS, *ours]}
    return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
