"""Who gets in: keys, host keys, secrets of a cluster's directory."""
