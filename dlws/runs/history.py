"""What the records of a run say of the commands and files that it was about."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from dlws.shell.recorder import REBOOT


def failed(found: Iterable[dict[str, Any]]) -> set[str]:
    """Operations that are known to have failed, and to be asked for anew under another id.

    A request for a reboot is an answer like any, unless its node failed right after it."""
    failed, asked = set[str](), dict[str, str]()
    for record in found:
        node, operation = record.get("node", ""), record.get("operation", "")
        if record["kind"] in ("done", "settled"):
            asked.pop(node, "")
            if record["code"] == REBOOT:
                asked[node] = operation
            elif record["code"] != 0:
                failed.add(operation)
        elif record["kind"] == "begin":
            asked.pop(node, "")
        elif record["kind"] == "failed" and node in asked:
            failed.add(asked.pop(node))
    return failed


def placed(found: Iterable[dict[str, Any]]) -> dict[str, set[tuple[str, str]]]:
    """Path and hash of the files that were written to each node, or were about to be."""
    files: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for record in found:
        if record["kind"] == "placing":
            files[record["node"]].update((path, digest) for path, digest in record["files"])
    return files


def in_flight(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records of the commands that were begun, and of whose end nothing is known here."""
    begun: dict[str, dict[str, Any]] = {}
    for record in found:
        if record["kind"] == "begin":
            begun[record["operation"]] = record
        elif record["kind"] in ("done", "settled"):
            begun.pop(record["operation"], None)
    return list(begun.values())
