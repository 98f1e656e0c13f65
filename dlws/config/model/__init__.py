"""What a configuration may say: a section a file, its root in config.py."""
