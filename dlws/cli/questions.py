"""The questions of `init`; an answer that cannot be right is asked for again."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click

from dlws.core.errors import UsageError

_NAMES = {
    "infra": "Infrastructure machines, one or three, such as infra01=10.0.0.1",
    "worker": "Workers, such as gpu[01-12]=10.0.0.[11-22] (empty: none)",
    "nfs": "Machines that serve files by NFS (empty: none)",
}
_NUMBERS = {"infra": "How many infrastructure machines, one or three", "worker": "How many workers"}


def ask(given: dict[str, Any], directory: Path) -> None:
    """Ask for what was not given, and keep the answers there."""
    _ask_text(given, "name", "The cluster's name", "cluster_name", _name_of(directory))
    given["platform"] = given["platform"] or click.prompt(
        "Where are the machines",
        type=click.Choice(["onpremise", "azure", "sandbox"]),
        default="onpremise",
        err=True,
    )
    if given["platform"] == "azure":
        _ask_of_azure(given)
    elif given["platform"] == "onpremise":
        _ask_of_machines(given)
    if given["platform"] != "sandbox":
        _ask_text(given, "user", "The user to create on them", "admin_username", "dlwsadmin")


def _ask_of_machines(given: dict[str, Any]) -> None:
    from dlws.config.new import read_machines

    for role, question in _NAMES.items():
        if not given[role]:
            text = _prompt(question, partial(read_machines, role), "" if role != "infra" else None)
            given[role] = (text,) if text else ()
    untyped = [text for text in given["worker"] if not re.match("(gpu|npu|cpu)[/:]", text)]
    if untyped and not given["worker_type"]:
        kinds = click.Choice(["gpu", "npu", "cpu"])
        question = "What the workers compute with"
        given["worker_type"] = click.prompt(question, type=kinds, default="gpu", err=True)
    _ask_text(given, "domain", "A domain for their names (empty: none)", "domain", "")


def _ask_of_azure(given: dict[str, Any]) -> None:
    from dlws.config.new import read_number

    given["location"] = given["location"] or click.prompt("Location, such as westus2", err=True)
    for role, question in _NUMBERS.items():
        if not given[role]:
            given[role] = (_prompt(question, partial(read_number, role), "1"),)


def _ask_text(given: dict[str, Any], option: str, question: str, key: str, default: str) -> None:
    from dlws.config.new import check

    def checked(text: str) -> None:
        check({"network": {key: text}} if key == "domain" else {key: text})

    if given[option] is None:
        given[option] = _prompt(question, checked, default)


def _prompt(question: str, check: Callable[[str], object], default: str | None) -> str:
    """An answer that passes the check; an empty default is an answer, too."""

    def checked(text: str) -> str:
        if text or default != "":
            try:
                check(text)
            except UsageError as error:
                raise click.BadParameter(f"{error.message}; {error.cure}") from error
        return text

    shown = bool(default)
    given = click.prompt(
        question, default=default, show_default=shown, value_proc=checked, err=True
    )
    return str(given)


def _name_of(directory: Path) -> str:
    """The directory's name, where a cluster may be called like that."""
    from dlws.config.new import check

    try:
        check({"cluster_name": directory.name})
    except UsageError:
        return "mycluster"
    return directory.name
