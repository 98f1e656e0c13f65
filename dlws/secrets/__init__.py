"""Secrets: references to them, at rest, and their redaction on the way out."""
