"""Tests of scripts/, which run on nodes."""
