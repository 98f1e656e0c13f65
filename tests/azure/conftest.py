"""A local Azure for the tests of this package."""

from tests.support.arm.fixtures import local, site

__all__ = ["local", "site"]
