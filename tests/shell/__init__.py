"""Tests of dlws.shell."""
