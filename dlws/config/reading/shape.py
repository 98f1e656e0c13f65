"""Bring what was written into the model's spelling, and report keys that nothing knows."""

from __future__ import annotations

from functools import cache
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from dlws.config.model.config import Config
from dlws.config.model.machines import Machine
from dlws.config.problems import Path, closest
from dlws.config.reading.sources import Sources
from dlws.config.reading.spelling import MISSPELLED, MOVED, OLD
from dlws.core.program import PROGRAM

_GUESSED = 50
"""Of more unknown keys than this nobody is told what they were meant to be: it takes too long."""
_DERIVED = {Machine: {"name", "fqdn", "scale_up"}, Config: {"other"}}
_MACHINE_EXTRAS = {
    "vm_size",
    "fqdns",
    "admin_username",
    "kube_label_groups",
    "kube_services",
    "managed_disks",
    "data_disk_mnt_path",
    "fileshares",
    "storage_manager",
    "options",
    "availability_set",
    "pwd",
    "cloud_init_file",
    "other_params",
    "number_of_instance",
    "prefix",
    "vm_image",
    "samba",
    "resource_group",
    "subscription",
    "location",
}


@cache
def keys_of(model: type[BaseModel]) -> dict[str, tuple[str, type[BaseModel] | None]]:
    """Key → how it nests (`one`, `map`, `list` or plain), and the model inside.

    Keys that nobody writes are left out.
    """
    keys: dict[str, tuple[str, type[BaseModel] | None]] = {}
    for name, info in model.model_fields.items():
        if name not in _DERIVED.get(model, ()):
            keys[info.alias or name] = _nesting(info.annotation)
    return keys


def _nesting(annotation: Any) -> tuple[str, type[BaseModel] | None]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "one", annotation
    arguments = get_args(annotation)
    if get_origin(annotation) is dict:
        kind, inner = _nesting(arguments[1])
        return ("map", inner) if kind == "one" else ("", None)
    if get_origin(annotation) is list:
        kind, inner = _nesting(arguments[0])
        return ("list", inner) if kind == "one" else ("", None)
    for argument in arguments:
        kind, inner = _nesting(argument)
        if inner is not None:
            return kind, inner
    return "", None


class Shaper:
    """One pass over the merged data."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.markers: set[str] = set()
        self._unknown_keys = 0

    def shape(self, data: dict[str, Any]) -> dict[str, Any]:
        self.markers = _markers(data)
        moved = self._machines(self._move(self._root(data)))
        return self._inside(Config, moved, ())

    def _root(self, data: dict[str, Any]) -> dict[str, Any]:
        """The top-level keys: misspelled, old and unknown ones sorted out."""
        known = keys_of(Config)
        shaped: dict[str, Any] = {}
        old: dict[str, Any] = {}
        for key, value in data.items():
            if key in known or key in MOVED or key == "scale_up":
                shaped[key] = value
            elif key in MISSPELLED:
                self._misspelled(shaped, data, key)
            elif key in OLD:
                old[key] = value
                self.sources.written["other", key] = (key,)
            elif (right := _swapped(key, known)) and right not in data:
                self.sources.written[right,] = (key,)
                shaped[right] = value
            else:
                self._unknown((key,), [*known, *MOVED, *OLD, "scale_up"])
        return {**shaped, "other": old} if old else shaped

    def _misspelled(self, shaped: dict[str, Any], data: dict[str, Any], key: str) -> None:
        right = MISSPELLED[key]
        self.sources.warn((key,), f"this is a misspelling of {right}", f"Write {right}.", key=True)
        if right not in data:
            self.sources.written[right,] = (key,)
            shaped[right] = data[key]

    def _move(self, data: dict[str, Any]) -> dict[str, Any]:
        """Flat keys of older configurations go where the model has them."""
        for key in [key for key in MOVED if key in data]:
            value, target = data.pop(key), MOVED[key]
            if value is not None and self._flat_counts(key, target, data):
                self.sources.written[target] = (key,)
                _place(data, target, value)
        return data

    def _flat_counts(self, key: str, target: tuple[str, ...], data: dict[str, Any]) -> bool:
        """Whether a flat key counts: the better spelling is absent, or in a file of less weight."""
        place: Any = data
        for step in target:
            if place is not None and not isinstance(place, dict):
                return False
            place = (place or {}).get(step)
        if place is None:
            return True
        flat, better = self.sources.rank((key,)), self.sources.rank(target)
        if flat == better:
            words = f"{'.'.join(target)} is set as well, and counts"
            self.sources.warn((key,), words, f"Remove {key}.", key=True)
        return flat < better

    def _machines(self, data: dict[str, Any]) -> dict[str, Any]:
        """`machines` and `scale_up` become one map, each machine with its names."""
        added = data.pop("scale_up", None)
        if not isinstance(data.get("machines") or {}, dict):
            return data
        if added is not None and not isinstance(added, dict):
            self.sources.error(
                ("scale_up",), "must be a map of machines", "Write name: {role: worker}."
            )
            added = None
        domain = _domain(data)
        machines: dict[str, Any] = {}
        for section, entries in (("machines", data.get("machines")), ("scale_up", added)):
            for name, machine in (entries or {}).items():
                short = name.removesuffix(f".{domain}") if domain else name
                if short in machines:
                    self._twice(section, name, short)
                    continue
                self.sources.written["machines", short] = (section, name)
                machines[short] = _named(machine, short, domain, section == "scale_up")
        return {**data, "machines": machines} if machines else data

    def _twice(self, section: str, name: str, short: str) -> None:
        document, spot = self.sources.locate(("machines", short), key=True)
        self.sources.error(
            (section, name),
            f"the machine {short} is already given at {document.file}:{spot.line}",
            "Give every machine once.",
            key=True,
        )

    def _inside(self, model: type[BaseModel], data: dict[str, Any], path: Path) -> dict[str, Any]:
        """The data of one model, and of the models in it."""
        known = keys_of(model)
        shaped: dict[str, Any] = {}
        for key, value in data.items():
            right = key if key in known else _swapped(key, known)
            if right is None:
                if self._is_foreign(model, key, path, known):
                    shaped[key] = value
                continue
            if right != key:
                if right in data:
                    self.sources.warn(
                        (*path, key),
                        f"{right} is set as well, and counts",
                        f"Remove {key}.",
                        key=True,
                    )
                    continue
                self.sources.written[(*path, right)] = (*self.sources.as_written(path), key)
            if value is not None:
                shaped[right] = self._value(known[right], value, (*path, right))
        return shaped

    def _value(self, nesting: tuple[str, type[BaseModel] | None], value: Any, path: Path) -> Any:
        kind, model = nesting
        if kind == "list" and isinstance(value, list):
            one = ("one", model)
            return [self._value(one, item, (*path, place)) for place, item in enumerate(value)]
        if model is None or kind == "list" or not isinstance(value, dict):
            return value
        if kind == "one":
            return self._inside(model, value, path)
        return {
            name: self._inside(model, {} if item is None else item, (*path, name))
            if isinstance(item, dict) or item is None
            else item
            for name, item in value.items()
        }

    def _is_foreign(self, model: type[BaseModel], key: str, path: Path, known: Any) -> bool:
        """Whether a key that is not the model's goes through; an unknown one is reported."""
        if key in _DERIVED.get(model, ()):
            return True
        if model is Machine and (key in self.markers or key in _MACHINE_EXTRAS):
            return True
        self._unknown((*path, key), list(known))
        return False

    def _unknown(self, path: Path, known: list[str]) -> None:
        self._unknown_keys += 1
        near = closest(str(path[-1]), known) if self._unknown_keys <= _GUESSED else ""
        cure = f"Did you mean {near}?" if near else f"Remove it, or see `{PROGRAM} config explain`."
        self.sources.warn(path, "nothing knows this key", cure, key=True)


def _place(data: dict[str, Any], target: tuple[str, ...], value: Any) -> None:
    """Set a value in a section, without changing what others refer to."""
    if len(target) == 1:
        data[target[0]] = value
    else:
        data[target[0]] = {**(data.get(target[0]) or {}), target[1]: value}


def _named(machine: Any, name: str, domain: str, added: bool) -> Any:
    if machine is not None and not isinstance(machine, dict):
        return machine
    full = f"{name}.{domain}" if domain and name.count(".") < 2 else name
    return {**(machine or {}), "name": name, "fqdn": full, "scale_up": added}


def _domain(data: dict[str, Any]) -> str:
    network = data.get("network")
    domain = network.get("domain") if isinstance(network, dict) else ""
    return domain if isinstance(domain, str) else ""


def _swapped(key: str, known: Any) -> str | None:
    """The known key that differs only in - and _."""
    for other in (key.replace("_", "-"), key.replace("-", "_")):
        if other in known:
            return other
    return None


def _markers(data: dict[str, Any]) -> set[str]:
    """Machine keys of the administrator's own, which kubelabels and kubemarks name."""
    labels, marks = data.get("kubelabels"), data.get("kubemarks")
    values = [*labels.values()] if isinstance(labels, dict) else []
    values += marks if isinstance(marks, list) else []
    return {value for value in values if isinstance(value, str)}
