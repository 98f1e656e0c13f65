"""What one key means, takes and defaults to, and where this configuration sets it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dlws.config.model.config import Config
from dlws.config.model.types import Kind
from dlws.config.problems import Path, closest, dotted
from dlws.config.reading.shape import keys_of
from dlws.config.reading.spelling import MISSPELLED, MOVED, OLD
from dlws.core.errors import UsageError
from dlws.core.program import PROGRAM
from dlws.core.version import Version

if TYPE_CHECKING:
    from dlws.config.reading.load import Inspection


@dataclass(frozen=True)
class Explanation:
    """One key, explained."""

    key: str
    description: str
    type: str = ""
    default: str = ""
    also: str = ""
    set_at: str = ""
    keys: tuple[str, ...] = ()

    def render(self) -> str:
        rows = {"type": self.type, "default": self.default, "also written": self.also}
        lines = [f"{self.key}: {self.description}"]
        lines += [f"  {name}: {value}" for name, value in rows.items() if value]
        lines.append(f"  set at: {self.set_at or 'not set'}")
        return "\n".join(
            [*lines, *(["  keys in it: " + ", ".join(self.keys)] if self.keys else [])]
        )

    def data(self) -> dict[str, Any]:
        return asdict(self)


def explain(key: str, found: Inspection | None = None) -> Explanation:
    """Explain a dotted key such as `kubernetes.version` or `machines.NAME.role`."""
    path = _canonical(tuple(part for part in key.strip().split(".") if part))
    if path and path[0] in OLD:
        group = OLD[path[0]]
        text = f"A key of older configurations ({group}); understood, and not used."
        return Explanation(key, text, set_at=_set_at(path, found, prefix=("other",)))
    info, model = _lookup(path, key)
    return Explanation(
        key=dotted(path),
        description=info.description or "",
        type=type_words(info),
        default=default_words(info),
        also=", ".join(_other_spellings(path)),
        set_at=_set_at(path, found),
        keys=tuple(keys_of(model)) if model else (),
    )


def all_keys() -> Iterator[str]:
    """Every key there is, dotted, with NAME where a name of one's own goes."""
    yield from _keys(Config, ())


def _keys(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[str]:
    for key, (kind, inner) in keys_of(model).items():
        yield dotted((*path, key))
        if inner is not None and kind != "list":
            yield from _keys(inner, (*path, key, "NAME") if kind == "map" else (*path, key))


def _canonical(path: tuple[str, ...]) -> tuple[str, ...]:
    if not path:
        return path
    if path[0] == "scale_up":
        return ("machines", *path[1:])
    first = MISSPELLED.get(path[0], path[0])
    return (*MOVED.get(first, (first,)), *path[1:])


def _lookup(path: tuple[str, ...], key: str) -> tuple[FieldInfo, type[BaseModel] | None]:
    """The field at a path and the model inside it."""
    model: type[BaseModel] | None = Config
    info: FieldInfo | None = None
    kind = ""
    for step in path:
        if kind == "map":
            kind = "one"
            continue
        known = keys_of(model) if model else {}
        right = closest(step, [step]) if step in known else _same(step, known)
        if not right or model is None:
            raise _unknown(key)
        info = next(i for n, i in model.model_fields.items() if (i.alias or n) == right)
        kind, model = known[right]
    if info is None:
        raise _unknown(key)
    return info, model


def _same(step: str, known: dict[str, Any]) -> str:
    for other in (step.replace("_", "-"), step.replace("-", "_")):
        if other in known:
            return other
    return ""


def _unknown(key: str) -> UsageError:
    candidates = [*all_keys(), *MOVED, *OLD, "scale_up"]
    last = {name.rsplit(".", 1)[-1]: name for name in reversed(candidates)}
    near = closest(key, candidates) or last.get(closest(key.rsplit(".", 1)[-1], last), "")
    hint = f"Did you mean {near}?" if near else f"`{PROGRAM} config explain` lists every key."
    return UsageError(f"There is no key {key}.", hint)


def _other_spellings(path: tuple[str, ...]) -> list[str]:
    return [old for old, target in MOVED.items() if target == path] + [
        wrong for wrong, right in MISSPELLED.items() if (right,) == path
    ]


def _set_at(path: Path, found: Inspection | None, prefix: Path = ()) -> str:
    if found is None or not found.sources.is_written(prefix + path):
        return ""
    document, spot = found.sources.locate(prefix + path, key=True)
    return f"{document.file}:{spot.line}:{spot.column}"


def default_words(info: FieldInfo) -> str:
    if info.is_required():
        return "none: it must be given"
    value = info.default
    if value is PydanticUndefined or value is None or value in ("", [], {}):
        return ""
    if isinstance(value, dict):
        return "a built-in table"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def type_words(info: FieldInfo) -> str:
    """The type in a person's words."""
    kinds = [part.words for part in info.metadata if isinstance(part, Kind)]
    return kinds[0] if kinds else _words(info.annotation)


_WORDS = {str: "text", Version: "text", int: "whole number", float: "number", bool: "true or false"}


def _words(kind: Any) -> str:
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is dict:
        inner = _words(arguments[1])
        return "map" if inner == "anything" else f"map of name to {inner}"
    if origin in (list, tuple):
        return f"list of {_words(arguments[0])}"
    if arguments:
        return _choice(arguments)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return "section"
    return "secret" if kind is SecretStr else _WORDS.get(kind, "anything")


def _choice(arguments: tuple[Any, ...]) -> str:
    if all(isinstance(value, str) for value in arguments):
        return "one of " + ", ".join(filter(None, arguments))
    return _words(next(item for item in arguments if item is not type(None)))
