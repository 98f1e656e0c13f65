"""Many light SSH servers on 127.0.0.0/8 in one process, with faults that come when asked for."""

from __future__ import annotations

from tests.support.farm.process import Farm, Host, Received

__all__ = ["Farm", "Host", "Received"]
