"""The installation from its first step to its last."""
