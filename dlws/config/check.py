"""Rules across keys: what is well formed on its own but cannot be right together."""

from __future__ import annotations

import ipaddress
from typing import Any

from dlws.config.merge import Sources
from dlws.config.model import Config


def check_data(data: dict[str, Any], sources: Sources) -> None:
    """Rules that can be told even when single values are wrong."""


def check_config(config: Config, data: dict[str, Any], sources: Sources) -> None:
    """Every rule, on values that are well formed."""
