"""Command lines, and parsers of what they print. Pure."""
