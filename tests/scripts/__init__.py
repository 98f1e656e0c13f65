"""Tests of dlws.scripts."""
