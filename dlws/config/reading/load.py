"""Read a cluster's directory into a Config, or into every problem there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from dlws.config.model.config import Config
from dlws.config.problems import ConfigError, Problem
from dlws.config.reading.shape import Shaper
from dlws.config.reading.source import Document, parse
from dlws.config.reading.sources import Sources
from dlws.config.reading.wording import explain_error, mended
from dlws.config.rules import check_config
from dlws.core.errors import UsageError
from dlws.core.localfiles import MIB, read
from dlws.core.program import PROGRAM

FILES = ("config.yaml", "cluster.yaml", "azure_cluster_config.yaml")
"""The files that a configuration is read from: the earlier counts where both say something."""


@dataclass
class Inspection:
    """What a cluster's directory says: the config, if there is one, and every problem."""

    sources: Sources
    config: Config | None = None
    problems: list[Problem] = field(default_factory=list)

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.level == "error"]


def load(directory: Path, strict: bool = False) -> Config:
    """The configuration of a cluster's directory. ConfigError carries all problems at once."""
    found = inspect(directory)
    if found.config is None or found.errors or (strict and found.problems):
        raise ConfigError(found.problems)
    found.config._warnings = tuple(found.problems)
    return found.config


def inspect(directory: Path) -> Inspection:
    """Read and check without raising for what the files hold."""
    return examine([_read(directory, name) for name in FILES], directory)


def from_text(text: str, directory: Path = Path()) -> Config:
    """The configuration that a text holds, as if it were a config.yaml."""
    found = examine([parse(text.encode(), FILES[0])], directory)
    if found.config is None or found.errors:
        raise ConfigError(found.problems)
    found.config._warnings = tuple(found.problems)
    return found.config


def examine(contents: Sequence[Document | None], directory: Path) -> Inspection:
    """Check documents that were read before; the first wins over the second."""
    documents = [document for document in contents if document is not None]
    sources = Sources(documents, directory)
    found = Inspection(sources)
    data = sources.merged()
    if not any(problem.level == "error" for problem in sources.problems):
        found.config = _validate(data, sources, directory)
    found.problems = sorted(sources.problems, key=_order)
    return found


def _validate(data: dict[str, Any], sources: Sources, directory: Path) -> Config | None:
    """The model. Where values are wrong, the rules still run on those that are right."""
    shaped = Shaper(sources).shape(data)
    config, wrong = _model(shaped, directory)
    for item in wrong:
        explain_error(item, sources)
    if not wrong and config:
        check_config(config, sources)
        return config
    config, still_wrong = _model(mended(shaped, wrong), directory)
    if config and not still_wrong:
        check_config(config, sources, sure_of_roles=not any(map(_about_roles, wrong)))
    return None


def _about_roles(error: Any) -> bool:
    where = error["loc"]
    return where[0] == "machines" and (len(where) <= 2 or "role" in where)


def _model(data: dict[str, Any], directory: Path) -> tuple[Config | None, list[Any]]:
    try:
        return Config.model_validate(data, context={"directory": directory}), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _read(directory: Path, name: str) -> Document | None:
    path = directory / name
    try:
        return parse(read(path, 64 * MIB), name)
    except FileNotFoundError:
        if name == FILES[0]:
            raise UsageError(
                f"There is no {name} in {directory}.",
                f"`{PROGRAM} init` writes one from a few answers, `{PROGRAM} sandbox up` makes "
                "local nodes and one for them; or name the cluster's directory with --dir.",
            ) from None
        return None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", "Correct the path or its permissions."
        ) from None


def _order(problem: Problem) -> tuple[int, int, int]:
    return (FILES.index(problem.file) if problem.file in FILES else 9, problem.line, problem.column)
