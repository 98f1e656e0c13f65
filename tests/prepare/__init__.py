"""Tests of dlws.prepare."""
