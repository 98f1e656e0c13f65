"""What the model found wrong, in the words of the person who wrote the file."""

from __future__ import annotations

import copy
from typing import Any

from dlws.config.problems import Path, closest, is_secret_key
from dlws.config.reading import oddchars
from dlws.config.reading.sources import Sources

_WANTED = {
    "dict_type": ("a map", "Write `key: value` lines, indented, under it."),
    "model_type": ("a map", "Write `key: value` lines, indented, under it."),
    "model_attributes_type": ("a map", "Write `key: value` lines, indented, under it."),
    "list_type": ("a list", "Write `- value` lines under it, or [value, value]."),
    "string_type": ("text", "Write one value; quote it if it has special characters."),
    "int_type": ("a whole number", "Write digits, such as 3."),
    "int_parsing": ("a whole number", "Write digits, such as 3."),
    "int_from_float": ("a whole number", "Write digits without a point."),
    "int_parsing_size": ("a whole number", "Write a smaller number."),
    "float_type": ("a number", "Write digits, such as 10."),
    "float_parsing": ("a number", "Write digits, such as 10."),
    "bool_type": ("true or false", "Write true or false."),
    "bool_parsing": ("true or false", "Write true or false."),
}

_STAND_INS = {"role": "worker"}


def explain_error(item: Any, sources: Sources) -> None:
    """Report one error of the model."""
    path: Path = item["loc"]
    context = item.get("ctx", {})
    kind = item["type"]
    shown = _shown(path, item["input"])
    if kind == "missing":
        name = str(path[-1])
        sources.error(path[:-1], f"{name} is missing", f"Add a line `{name}: ...`.", key=True)
    elif kind == "dlws":
        sources.error(path, context["message"], context["cure"])
    elif kind == "literal_error":
        _choice(path, shown, context["expected"], sources)
    elif kind in _WANTED:
        wanted, cure = _WANTED[kind]
        if wanted == "a map" and (odd := oddchars.before([str(item["input"])], 1)):
            cure = f"There is {oddchars.name(odd[1])} in it. {oddchars.cure(odd[1])}"
        sources.error(path, f"must be {wanted}, not {shown}", cure)
    elif kind in ("greater_than_equal", "less_than_equal"):
        word = "at least" if "ge" in context else "at most"
        limit = context.get("ge", context.get("le"))
        sources.error(path, f"must be {word} {limit:g}, not {shown}", "Correct the number.")
    else:
        sources.error(path, item["msg"].lower(), "Correct the value.")


def _shown(path: Path, value: Any) -> str:
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if any(is_secret_key(step) for step in path):
        return "what is given"
    if isinstance(value, str):
        return f'"{value[:60]}"'
    if isinstance(value, bool):
        return str(value).lower()
    return getattr(value, "text", None) or str(value)


def _choice(path: Path, shown: str, expected: str, sources: Sources) -> None:
    words = [word.strip("' ") for word in expected.replace(" or ", ", ").split(",")]
    words = [word for word in words if word]
    near = closest(shown.strip('"'), words)
    hint = f"Did you mean {near}? " if near else ""
    sources.error(
        path, f"{shown} is not one of its values", f"{hint}Choose from: {', '.join(words)}."
    )


def mended(data: dict[str, Any], wrong: list[Any]) -> dict[str, Any]:
    """The data with every wrong value left out, so that the rules can look at the rest."""
    whole = copy.deepcopy(data)
    for item in wrong:
        *way, last = item["loc"]
        place: Any = whole
        for step in way:
            place = _step(place, step)
        if item["type"] == "missing" or last == "role":
            if isinstance(place, dict):
                place[last] = _STAND_INS.get(str(last), "unknown")
        elif isinstance(place, dict):
            place.pop(last, None)
    return whole


def _step(place: Any, step: str | int) -> Any:
    if isinstance(place, dict):
        return place.get(step)
    inside = isinstance(place, list) and isinstance(step, int) and step < len(place)
    return place[step] if inside else None
