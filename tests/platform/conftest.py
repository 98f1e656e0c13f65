"""Fixtures of the job platform's tests."""

from __future__ import annotations

from tests.support.platform.clients import api
from tests.support.platform.databases import database, empty, real

__all__ = ["api", "database", "empty", "real"]
