"""The table of az_tools.py's commands: what the help and completion show without importing one."""

from __future__ import annotations

COMMANDS: dict[str, tuple[str, str]] = {
    "create": (
        "create",
        "Make the machines, networks and addresses of the configuration that are not there yet",
    ),
}
"""By name, in the order of the help: the module under dlws.cli.az, the help's first sentence."""
