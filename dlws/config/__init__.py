"""The configuration: `config.yaml` and `cluster.yaml` as one typed, frozen model."""

from __future__ import annotations

from dlws.config.load import from_text, inspect, load
from dlws.config.model import Config
from dlws.config.nodes import Machine
from dlws.config.problems import ConfigError, Problem

__all__ = ["Config", "ConfigError", "Machine", "Problem", "from_text", "inspect", "load"]
