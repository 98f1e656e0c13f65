"""Tests of dlws.nodes."""
