"""Jinja2 templates. A name that a template uses and nobody gave is an error, never empty text."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from dlws.core import resources
from dlws.core.errors import DeployError

if TYPE_CHECKING:
    from jinja2 import Environment


@cache
def _environment() -> Environment:
    import json
    import shlex

    import yaml
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(resources.templates()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A value goes into another language only through its quoting.
    environment.filters["sh"] = lambda value: shlex.quote(str(value))
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["yaml"] = lambda value: (
        yaml.safe_dump(value, default_flow_style=True, width=1 << 20)
        .removesuffix("\n")
        .removesuffix("\n...")
    )
    return environment


def render(template: str, **values: Any) -> str:
    """The text of templates/`template` with these values."""
    return _rendered(template, lambda: _environment().get_template(template).render(values))


def _rendered(name: str, render: Any) -> str:
    from jinja2 import TemplateError

    try:
        return str(render())
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise DeployError(
            f"template {name}{f':{line}' if line else ''}: {error.message}"
        ) from error
    except Exception as error:  # whatever an expression in it does, such as a division by zero
        raise DeployError(f"template {name}: {type(error).__name__}: {error}") from error
