"""Tests of dlws.access."""
