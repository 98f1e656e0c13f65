"""Measurements, apart from the tests: nothing here decides whether a change is right."""
