"""Tests of dlws.secrets."""
