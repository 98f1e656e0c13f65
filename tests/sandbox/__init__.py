"""Tests of the sandbox: pure ones, and those that make real nodes."""
