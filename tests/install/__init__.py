"""Tests of dlws.install."""
