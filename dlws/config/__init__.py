"""The configuration: `config.yaml` and `cluster.yaml` as one typed, frozen model."""

from __future__ import annotations

from dlws.config.model.config import Config
from dlws.config.model.machines import Machine
from dlws.config.problems import ConfigError, Problem
from dlws.config.reading.load import from_text, inspect, load

__all__ = ["Config", "ConfigError", "Machine", "Problem", "from_text", "inspect", "load"]
