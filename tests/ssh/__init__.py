"""Tests of dlws.ssh."""
