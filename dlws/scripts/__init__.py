"""Scripts on nodes."""
