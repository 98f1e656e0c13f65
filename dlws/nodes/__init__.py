"""The machines of a cluster, and work on many of them at once."""
