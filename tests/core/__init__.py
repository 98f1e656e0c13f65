"""Tests of dlws.core."""
