"""Tests of dlws.runs."""
