"""Fixtures of the job platform's tests."""

from __future__ import annotations

from tests.support.platform.clients import api
from tests.support.platform.databases import database, empty, real
from tests.support.platform.portals import portal

__all__ = ["api", "database", "empty", "portal", "real"]
