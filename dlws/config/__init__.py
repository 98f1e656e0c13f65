"""The configuration: `config.yaml` and `cluster.yaml` as one typed, frozen model."""

from __future__ import annotations

from dlws.config.load import inspect, load
from dlws.config.model import Config
from dlws.config.problems import ConfigError, Problem

__all__ = ["Config", "ConfigError", "Problem", "inspect", "load"]
