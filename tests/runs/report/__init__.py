"""Tests of dlws.runs.report."""
