"""Jinja2 templates. A name that a template uses and nobody gave is an error, never empty text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlws.core import resources
from dlws.core.errors import DeployError, UsageError

if TYPE_CHECKING:
    from jinja2 import BytecodeCache, Environment, Template


_TEXT = "text"


@cache
def _environment(places: tuple[Path, ...] = ()) -> Environment:
    import json
    import shlex

    from jinja2 import FileSystemLoader, StrictUndefined

    environment = _sandbox()(
        loader=FileSystemLoader(places or resources.templates()),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_no_secret,
        bytecode_cache=_compiled_once(),
    )
    # A value goes into another language only through its quoting.
    environment.filters["sh"] = lambda value: shlex.quote(str(value))
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters["yaml"] = _yaml
    environment.filters["unit"] = _unit
    environment.filters["line"] = _on_one_line
    return environment


def _yaml(value: Any) -> str:
    """A value as YAML on one line, wherever it stands in a document: between braces, too."""
    import yaml

    # Quoted plainly, a text of several lines would be one of several lines, without indentation.
    style = '"' if isinstance(value, str) and len(value.splitlines()) > 1 else None
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    made: str = yaml.dump(
        [value], Dumper=dumper, default_flow_style=True, default_style=style, width=1 << 24
    )
    return made.removesuffix("\n")[1:-1]


def _unit(value: Any) -> str:
    """A value as one item of a list in a systemd unit, such as ReadWritePaths=."""
    quoted = str(value).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{quoted}"'


def _on_one_line(value: Any, key: str) -> str:
    """A value for a file whose format quotes nothing: what follows a line break would be a setting
    of its own. The value may be secret, and the error names its key alone."""
    if {"\n", "\r", "\0"} & set(str(value)):
        raise UsageError(f"{key} has a line break, which its file on nodes cannot hold",
                         f"take it out of {key} in config.yaml")  # fmt: skip
    return str(value)


@cache
def _sandbox() -> type[Environment]:
    """An environment for templates of others: looking at a cluster's directory renders those."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment
    from pydantic import BaseModel

    class Sandbox(ImmutableSandboxedEnvironment):
        """Templates see values, and run nothing; nor do they by a model's own methods, which read
        files and pickles."""

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            own = isinstance(obj, BaseModel) and hasattr(BaseModel, attr)
            return super().is_safe_attribute(obj, attr, value) and not own

    return Sandbox


_KEPT: dict[str, bytes] = {}
"""Templates that were compiled, by their place; Jinja compares their content."""


@cache
def _compiled_once() -> BytecodeCache:
    """What templates of several folders include is compiled once for all of them."""
    from jinja2.bccache import Bucket, BytecodeCache

    class Memory(BytecodeCache):
        """Keeps compiled templates for as long as the program runs."""

        def load_bytecode(self, bucket: Bucket) -> None:
            if found := _KEPT.get(bucket.key):
                bucket.bytecode_from_string(found)

        def dump_bytecode(self, bucket: Bucket) -> None:
            _KEPT[bucket.key] = bucket.bytecode_to_string()

    return Memory()


def _no_secret(value: Any) -> Any:
    """What goes into the text: a secret only by a function that takes note of it."""
    if hasattr(value, "get_secret_value"):
        raise TypeError("this is a secret: write secret(...) around it")
    return value


class CannotRender(DeployError):
    """A template, or an expression, that has no value; `why` says it without the place."""

    def __init__(self, name: str, line: int | None, why: str) -> None:
        super().__init__(f"template {name}{f':{line}' if line else ''}: {why}")
        self.name, self.line, self.why = name, line, why


def render(template: str, **values: Any) -> str:
    """The text of templates/`template` with these values."""
    return render_in((), template, values)


def render_in(places: tuple[Path, ...], template: str, values: Mapping[str, Any]) -> str:
    """The text of a template in the first of these folders that has it (none: templates/)."""
    environment = _environment(places)
    return str(_tried(template, lambda: environment.get_template(template).render(values)))


def render_text(text: str, values: Mapping[str, Any]) -> str:
    """A template that is a text and no file."""
    return str(_tried(_TEXT, lambda: _compiled(text).render(values)))


def evaluate(expression: str, values: Mapping[str, Any]) -> Any:
    """The value of an expression, as it stands between {{ and }}."""
    from jinja2 import Undefined

    def value() -> Any:
        found = _expression(expression)(values)
        if isinstance(found, Undefined):
            str(found)  # says what it is that nobody gave
        return found

    return _tried(_TEXT, value)


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Template:
    """A text is filled in for many nodes, and compiled once."""
    return _environment().from_string(text)


@lru_cache(maxsize=1024)
def _expression(text: str) -> Callable[[Mapping[str, Any]], Any]:
    return _environment().compile_expression(text, undefined_to_none=False)


def _tried(name: str, action: Callable[[], Any]) -> Any:
    from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

    try:
        return action()
    except TemplateSyntaxError as error:
        raise CannotRender(error.name or name, error.lineno, str(error.message)) from error
    except TemplateNotFound as error:
        raise CannotRender(name, _line(error), f"there is no template {error.name}") from error
    except TemplateError as error:
        raise CannotRender(name, _line(error), str(error.message)) from error
    except DeployError:  # a function of ours says what is wrong, and its cure
        raise
    except Exception as error:  # whatever an expression in it does, such as a division by zero
        why = f"{type(error).__name__}: {error}"
        raise CannotRender(name, _line(error), why) from error


def _line(error: BaseException) -> int | None:
    """The line of the template where it went wrong: Jinja writes it into the traceback."""
    at, first = error.__traceback__, None
    while at and not first:
        # The first of them: from a template that it includes, too, its own line leads there.
        first = at.tb_lineno if "__jinja_exception__" in at.tb_frame.f_globals else None
        at = at.tb_next
    return first
