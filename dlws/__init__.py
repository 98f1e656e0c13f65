"""Deploy deep-learning clusters over SSH."""

__version__ = "0.1.0"
