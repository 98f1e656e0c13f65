"""Drift: what a node has, against what config.yaml asks of it."""
