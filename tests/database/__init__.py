"""Tests of dlws.database."""
