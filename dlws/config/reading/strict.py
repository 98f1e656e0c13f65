"""A YAML file such as role.yaml as a strict model: a key that it does not know is an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path as File
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from dlws.config.problems import Path, Problem, closest, count, render
from dlws.config.reading.source import parse
from dlws.config.reading.sources import Sources
from dlws.config.reading.wording import explain_error
from dlws.core.errors import UsageError

M = TypeVar("M", bound=BaseModel)
Rule = Callable[[M, Sources], None]


class WrongFile(UsageError):
    """A file of settings that has errors; all of them are in `problems`."""

    def __init__(self, file: File, problems: Sequence[Problem], cure: str = "") -> None:
        self.problems = tuple(problems)
        super().__init__(
            f"{file} has {count(self.problems)}\n{render(self.problems)}",
            cure or "correct the lines above",
        )


def read(file: File, model: type[M], *rules: Rule[M]) -> tuple[M, Sources]:
    """The file as a model, and where in it everything stands. WrongFile carries all problems."""
    try:
        document = parse(file.read_bytes(), file.name)
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "correct the path") from error
    sources = Sources([document], file.parent)
    made = _model(document.data, model, sources) if not sources.problems else None
    for rule in rules if made else ():
        assert made
        rule(made, sources)
    if sources.problems or not made:
        raise WrongFile(file, sorted(sources.problems, key=lambda one: (one.line, one.column)))
    return made, sources


def _model(data: dict[str, Any], model: type[M], sources: Sources) -> M | None:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            if item["type"] == "extra_forbidden":
                _unknown(model, item["loc"], sources)
            else:
                explain_error({**item, "loc": _written(item["loc"], data)}, sources)
        return None


def _unknown(model: type[BaseModel], path: Path, sources: Sources) -> None:
    known = _keys(model, path[:-1])
    near = closest(str(path[-1]), known)
    hint = f"Did you mean {near}? " if near else ""
    cure = f"{hint}Its keys are: {', '.join(known)}."
    sources.error(path, "nothing knows this key", cure, key=True)


def _keys(model: type[BaseModel], path: Path) -> list[str]:
    """The keys of the model, or of the one that lies in it at a path."""
    for step in path:
        field = next((f for n, f in model.model_fields.items() if (f.alias or n) == step), None)
        model = _inner(field.annotation) or model if field else model
    return [field.alias or name for name, field in model.model_fields.items()]


def _inner(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_inner, get_args(annotation))), None)


def _written(path: Path, data: Any) -> Path:
    """The path without the steps by which the model tells the kinds of a value apart."""
    found: list[str | int] = []
    for step in path:
        inside = data.get(step) if isinstance(data, dict) else None
        if isinstance(data, list) and isinstance(step, int) and step < len(data):
            inside = data[step]
        if inside is None and not (isinstance(data, dict) and step in data):
            continue
        found.append(step)
        data = inside
    return tuple(found)
