"""The job platform: people submit jobs; it decides which run when, and says why others wait."""

__version__ = "0.1.0"
